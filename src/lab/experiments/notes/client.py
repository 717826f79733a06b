# Its client, with the calls of the lab notes. When does it print only a part?
import socket


def ask(host, port):
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.connect((host, port))
    reply = server.recv(1024)
    server.close()
    return reply.decode("ascii")


print("time:", ask(socket.gethostname(), 9999))
