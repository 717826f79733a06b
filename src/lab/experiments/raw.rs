//! A socket below the transports.

mod netns;

use crate::duration::Unit;
use crate::lab::lesson::{tcp, udp};
use crate::lab::{Lab, Lesson, Must, Next, Theory};

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
    lessons: &[
        Lesson {
            says: "A stream socket and a datagram socket hide the packets. A raw socket shows each one as it \
                   arrived, with its IP header.",
            rests_on: &[
                tcp(netns::COPIES, Must::Be(netns::ALL)),
                udp(netns::COPIES, Must::Be(netns::ALL)),
                tcp(netns::IP_HEADER, Must::Number(20)),
                udp(netns::IP_HEADER, Must::Number(20)),
            ],
        },
        Lesson {
            says: "It takes nothing away from the socket that owns the port: the client had its reply.",
            rests_on: &[tcp(netns::REPLY, Must::Be("came")), udp(netns::REPLY, Must::Be("came"))],
        },
        Lesson {
            says: "It does not show what leaves the host. Packet sockets below IP do, which `daytime wire` \
                   uses.",
            rests_on: &[
                tcp(netns::OWN_COPIES, Must::Number(0)),
                udp(netns::OWN_COPIES, Must::Number(0)),
            ],
        },
    ],
    elsewhere: "BSD and macOS pass no TCP and no UDP to raw sockets, so nothing would be seen there. Windows \
                needs an administrator.",
    next: &[Next {
        command: "daytime lab run raw --pcapng .",
        watch: "The server's files have the packets of both directions; the drawing has a line \
                `recv(2048), raw` for those that the raw socket was given. Which are missing there, and \
                why?",
    }],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[netns::PROCEDURE],
};
