"""Asks a Daytime server as a first socket program does.

Makes the calls of client.py in Santhisenan A, "Implementation of client server communication using
socket programming and TCP as transport layer protocol" (2018), in their order: gethostname,
socket(AF_INET, SOCK_STREAM), connect to port 9999, one recv of 1024 octets, close, decode as ASCII.
What that program leaves out is left out here as well: recv is not called until the stream ends.

An argument names another host.
"""

import socket
import sys

PORT = 9999

server = sys.argv[1] if len(sys.argv) > 1 else socket.gethostname()
stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
stream.connect((server, PORT))
line = stream.recv(1024)
stream.close()
print("Time got from the server is %s" % line.decode("ascii"))
