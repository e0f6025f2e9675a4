"""placeholder"""


def run(display, inputs, machine, texts, look):
    print(machine.drives(), machine.volume_labels())
    import time

    time.sleep(600)
