# A Daytime server with the calls of the lab notes. It never serves: why?
import socket
import time


def serve(port):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((socket.gethostname(), port))
    listener.listen(5)
    while True:
        client, address = listener.accept()
        print("connection from", address)
        client.send((time.ctime() + "\r\n").encode("ascii"))
        client.close()


serve(9999)
