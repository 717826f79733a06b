"""Serves the time as a first socket program does: TCP and IPv4 only, one client after the other.

Makes the calls of server.py in Santhisenan A, "Implementation of client server communication using
socket programming and TCP as transport layer protocol" (2018), in their order: socket, gethostname,
bind to port 9999, listen(5), then accept, send ctime and CR LF, close for each client. One thing is
mended: it opens a SOCK_STREAM, for on its SOCK_DGRAM listen fails.
"""

import socket
import time

PORT = 9999

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind((socket.gethostname(), PORT))
listener.listen(5)

while True:
    stream, peer = listener.accept()
    print("Got a connection from %s" % str(peer))
    line = time.ctime(time.time()) + "\r\n"
    stream.send(line.encode("ascii"))
    stream.close()
