"""Stages 12 to 23: the six pages of the Zabbix agent's installer.

Each page is two steps of the original walk: wait for it, and press return on it.
"""

from __future__ import annotations

from typing import ClassVar

from winbuild import boots
from winbuild.step import ManualStep, StepContext
from winbuild.windows import desktop


class _WaitForPage(ManualStep):
    page: ClassVar[int]

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.wait_for(ctx, desktop.AGENT_PAGES[self.page - 1])

    def verify(self, ctx: StepContext) -> None:
        desktop.check_reached(ctx, desktop.AGENT_PAGES[self.page - 1])


class _PressReturn(ManualStep):
    page: ClassVar[int]

    def automate(self, ctx: StepContext) -> None:
        boots.require_vm(ctx)
        desktop.leave_page(ctx, desktop.AGENT_PAGES[self.page - 1])

    def verify(self, ctx: StepContext) -> None:
        desktop.check_left(ctx, desktop.AGENT_PAGES[self.page - 1])


class WaitPage1(_WaitForPage):
    """Wait for the installer's welcome page."""

    name = "12-M-wait-zabbix-installer-screen1"
    instructions = "Wait for the first page of the Zabbix installer (welcome)."
    page = 1


class ReturnOnPage1(_PressReturn):
    """Go on from the welcome page."""

    name = "13-M-press-return-1"
    instructions = "Press return (Next)."
    page = 1


class WaitPage2(_WaitForPage):
    """Wait for the installer's licence page."""

    name = "14-M-wait-zabbix-installer-screen2"
    instructions = "Wait for the second page (licence)."
    page = 2


class ReturnOnPage2(_PressReturn):
    """Accept the licence."""

    name = "15-M-press-return-2"
    instructions = "Press return (I Agree)."
    page = 2


class WaitPage3(_WaitForPage):
    """Wait for the installer's components page."""

    name = "16-M-wait-zabbix-installer-screen3"
    instructions = "Wait for the third page (components)."
    page = 3


class ReturnOnPage3(_PressReturn):
    """Go on from the components page."""

    name = "17-M-press-return-3"
    instructions = "Press return (Next)."
    page = 3


class WaitPage4(_WaitForPage):
    """Wait for the installer's configuration page."""

    name = "18-M-wait-zabbix-installer-screen4"
    instructions = "Wait for the fourth page (configuration)."
    page = 4


class ReturnOnPage4(_PressReturn):
    """Go on from the configuration page."""

    name = "19-M-press-return-4"
    instructions = "Press return (Next)."
    page = 4


class WaitPage5(_WaitForPage):
    """Wait for the installer's folder page."""

    name = "20-M-wait-zabbix-installer-screen5"
    instructions = "Wait for the fifth page (install folder)."
    page = 5


class ReturnOnPage5(_PressReturn):
    """Start the installation of the agent."""

    name = "21-M-press-return-5"
    instructions = "Press return (Install)."
    page = 5


class WaitPage6(_WaitForPage):
    """Wait until the agent is installed."""

    name = "22-M-wait-zabbix-installer-screen6"
    instructions = "Wait for the sixth page (finished)."
    page = 6


class ReturnOnPage6(_PressReturn):
    """Close the installer; sysprep then starts by itself."""

    name = "23-M-press-return-6"
    instructions = "Press return (Close). Sysprep then starts by itself and shuts Windows down."
    page = 6
