//! A socket below the transports.

use crate::lab::netns::runs::raw as netns;
use crate::lab::{Lab, Next, Theory};

pub(super) static LAB: Lab = Lab {
    name: "raw",
    question: "What does the third kind of socket, SOCK_RAW, see of the other two?",
    theory: &[
        Theory {
            says: "TCP and UDP are protocols 6 and 17 of the Internet Protocol, whose header of 20 octets or \
                   more goes before theirs",
            source: "RFC 791, section 3.1",
        },
        Theory {
            says: "all packets that match the protocol of a raw socket are passed to it, with the IP header, \
                   and then to the protocol itself; only a process with CAP_NET_RAW may open one",
            source: "Linux, raw(7)",
        },
        Theory {
            says: "received UDP packets and received TCP packets are never passed to a raw socket: they have to \
                   be read at the datalink layer. That is of Berkeley's kernels",
            source: "Stevens, UNP, volume 1, section 28.4",
        },
    ],
    lesson: "A stream socket and a datagram socket hide the packets; a raw socket shows them as they came, and \
             takes nothing away from their owner. What leaves the host it does not see: for that there are \
             packet sockets below IP, as `daytime wire` uses them.",
    elsewhere: "BSD and macOS pass no TCP and no UDP to raw sockets, so nothing would be seen there. Windows \
                needs an administrator.",
    next: &[Next {
        command: "daytime lab run raw --pcapng .",
        watch: "The server's files have the packets of both directions; the drawing has a line \
                `recv(2048), raw` for those that the raw socket was given. Which are missing there, and \
                why?",
    }],
    procedures: &[netns::PROCEDURE],
};
