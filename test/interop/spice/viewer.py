#!/usr/bin/python3
"""A SPICE viewer without a screen: spice-gtk that shares a folder with the guest.

    viewer.py SPICE.sock FOLDER [ro]
"""
import sys

import gi

gi.require_version('SpiceClientGLib', '2.0')
from gi.repository import GLib, GObject, SpiceClientGLib  # noqa: E402

# Session and Channel have methods named connect of their own, which hide the one for signals.
listen = GObject.Object.connect


def on_channel(_session, channel):
    listen(channel, 'channel-event', lambda ch, event: say(ch, event.value_nick))
    if isinstance(channel, SpiceClientGLib.PortChannel):
        listen(channel, 'notify::port-opened', on_port)
        SpiceClientGLib.Channel.connect(channel)


def on_port(channel, _property):
    say(channel, 'port opened' if channel.get_property('port-opened') else 'port closed')


def say(channel, text):
    print(type(channel).__name__, text, flush=True)


def main():
    socket, folder = sys.argv[1:3]
    loop = GLib.MainLoop()
    session = SpiceClientGLib.Session()
    session.set_property('unix-path', socket)
    session.set_property('shared-dir', folder)
    session.set_property('share-dir-ro', sys.argv[3:] == ['ro'])
    for device in ('enable-audio', 'enable-usbredir', 'enable-smartcard'):
        session.set_property(device, False)
    listen(session, 'channel-new', on_channel)
    listen(session, 'disconnected', lambda *_: loop.quit())
    session.connect()
    loop.run()


main()
