"""The Wakame-vdc walk: install Windows from its ISO, sysprep it, package it, test its first boots.

The names of the steps are those of the original build-dir-utils.sh (2015), which users and
their scripts know.
"""
