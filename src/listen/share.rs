//! Lets several workers have separate sockets on the same port: `SO_REUSEPORT` (socket(7)).

use super::{Listen, ListenError, Opened};
use crate::sys;
use std::num::NonZeroUsize;

/// Place of a socket among all sockets on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The only socket on its port.
    Only,
    /// Socket of the first worker. The socket is bound before `SO_REUSEPORT` is set, so binding
    /// fails if another process uses the port. After that, the socket shares its port.
    First,
    /// Socket of another worker.
    Further,
}

impl Listen {
    /// Returns how many workers can have their own sockets, at most `workers`.
    pub(super) fn sharing(&self, workers: NonZeroUsize) -> NonZeroUsize {
        if workers.get() == 1 {
            return workers;
        }
        if !self.reuse_port {
            log::info!("serving with one worker: SO_REUSEPORT is off");
            return NonZeroUsize::MIN;
        }
        if !sys::SPREADS_CLIENTS {
            log::warn!(
                "serving with one worker: this system does not distribute clients among sockets"
            );
            return NonZeroUsize::MIN;
        }
        workers
    }

    /// Returns the sockets of each worker. The first worker keeps the given sockets. Every other
    /// worker gets the same number of new sockets on the same ports.
    pub(super) fn open_further(
        &self,
        first: Vec<Opened>,
        workers: NonZeroUsize,
    ) -> Result<Vec<Vec<Opened>>, ListenError> {
        let mut all = vec![first];
        while all.len() < workers.get() {
            let open = |Opened { bound, .. }: &Opened| {
                self.open(bound.transport, bound.address, Place::Further)
            };
            all.push(all[0].iter().map(open).collect::<Result<_, _>>()?);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listen::Unavailable;
    use crate::transport::Transport;
    use socket2::Socket;
    use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

    const TWO: NonZeroUsize = NonZeroUsize::new(2).expect("not 0");
    const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

    fn open(transport: Transport, address: SocketAddr) -> Result<Vec<Vec<Opened>>, ListenError> {
        Listen::default().open_all(&[(transport, address)], TWO)
    }

    #[test]
    fn each_worker_has_a_socket_on_the_same_port_and_gets_clients() {
        if !sys::SPREADS_CLIENTS {
            return;
        }
        for transport in Transport::BOTH {
            let opened = open(transport, LOOPBACK.into()).expect("loopback");
            let address = opened[0][0].bound.address;
            assert_eq!([opened[0].len(), opened[1].len()], [1, 1]);
            assert_eq!(opened[1][0].bound.address, address);
            let mut clients = Vec::new();
            let mut came = [false; 2];
            // The loop ends when each of the two workers has had a client. The test fails by chance
            // with a probability of 2^-63.
            while clients.len() < 64 && came != [true; 2] {
                clients.push(client(transport, address));
                for (came, sockets) in came.iter_mut().zip(&opened) {
                    *came |= has_come(transport, &sockets[0].socket);
                }
            }
            assert_eq!(came, [true; 2], "{transport}: after {} clients", clients.len());
        }
    }

    /// Connects a TCP client, or sends a datagram from a UDP client.
    fn client(transport: Transport, address: SocketAddr) -> Client {
        match transport {
            Transport::Tcp => Client::Tcp(TcpStream::connect(address).expect("connected")),
            Transport::Udp => {
                let socket = UdpSocket::bind(SocketAddr::from(LOOPBACK)).expect("loopback");
                socket.send_to(b"", address).expect("sent");
                Client::Udp(socket)
            }
        }
    }

    #[expect(dead_code, reason = "holding a socket keeps it open")]
    enum Client {
        Tcp(TcpStream),
        Udp(UdpSocket),
    }

    fn has_come(transport: Transport, socket: &Socket) -> bool {
        match transport {
            Transport::Tcp => socket.accept().is_ok(),
            Transport::Udp => socket.recv_from(&mut []).is_ok(),
        }
    }

    #[test]
    fn a_port_of_another_server_is_refused_even_if_both_set_reuse_port() {
        for transport in Transport::BOTH {
            let first = open(transport, LOOPBACK.into()).expect("loopback");
            let second = open(transport, first[0][0].bound.address);
            assert!(
                matches!(second, Err(ListenError::Open { why: Unavailable::InUse, .. })),
                "{transport}: {second:?}"
            );
        }
    }

    #[test]
    fn with_reuse_port_off_there_is_one_worker() {
        let listen = Listen { reuse_port: false, ..Listen::default() };
        let opened = listen.open_all(&[(Transport::Tcp, LOOPBACK.into())], TWO).expect("loopback");
        assert_eq!(opened.len(), 1);
        assert!(!opened[0][0].bound.settings.iter().any(|setting| setting.name == "SO_REUSEPORT"));
    }
}
