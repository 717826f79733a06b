//! Configures a network's interfaces, addresses and neighbours. All configuration uses messages to the kernel
//! (rtnetlink(7)).

use nix::errno::Errno;
use nix::libc::{
    AF_INET, IFA_LOCAL, IFF_UP, IFLA_ADDRESS, IFLA_GSO_MAX_SEGS, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_NET_NS_PID, NDA_DST, NDA_LLADDR, NLM_F_ACK, NLM_F_CREATE,
    NLM_F_EXCL, NLM_F_REQUEST, NLMSG_ERROR, NUD_PERMANENT, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH,
};
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

/// `VETH_INFO_PEER` from linux/veth.h. libc lacks this constant.
const VETH_INFO_PEER: u16 = 1;

/// Length of a message header in octets. In an acknowledgement, the error number follows the header
/// (netlink(7)).
const HEADER: usize = 16;

/// Socket that configures the network of the thread that opened it. Each call returns after the
/// kernel has finished the request.
#[derive(Debug)]
pub(crate) struct NetworkSetup(OwnedFd);

impl NetworkSetup {
    pub(crate) fn open() -> io::Result<Self> {
        let (flags, protocol) = (SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
        Ok(Self(socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?))
    }

    /// Adds a virtual cable (veth(4)). One end is in this network. The other end is in the network of the thread with
    /// the ID `thread`, and gets this hardware address.
    pub(crate) fn add_cable(
        &self,
        end: &str,
        other_end: &str,
        hardware: [u8; 6],
        thread: i32,
    ) -> io::Result<()> {
        let other = [
            link(0, 0),
            name(other_end),
            attribute(IFLA_ADDRESS, &hardware),
            attribute(IFLA_NET_NS_PID, &thread.to_ne_bytes()),
        ];
        let peer = attribute(VETH_INFO_PEER, &other.concat());
        let kind = [attribute(IFLA_INFO_KIND, b"veth"), attribute(IFLA_INFO_DATA, &peer)];
        let info = attribute(IFLA_LINKINFO, &kind.concat());
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &[link(0, 0), name(end), info])
    }

    /// Brings an interface up. Also limits each packet to one segment (GSO), so that the kernel
    /// splits longer data before the interface gets it.
    pub(crate) fn set_up(&self, interface: &str) -> io::Result<()> {
        let one_segment = attribute(IFLA_GSO_MAX_SEGS, &1_u32.to_ne_bytes());
        self.request(RTM_NEWLINK, 0, &[link(index(interface)?, IFF_UP), one_segment])
    }

    /// Assigns an address to an interface, with a prefix of 24 bits.
    pub(crate) fn add_address(&self, interface: &str, address: Ipv4Addr) -> io::Result<()> {
        // Fields of struct ifaddrmsg: family, prefix length, flags, scope, index.
        let header = [vec![family(), 24, 0, 0], index(interface)?.to_ne_bytes().to_vec()].concat();
        let address = attribute(IFA_LOCAL, &address.octets());
        self.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &[header, address])
    }

    /// Registers the hardware address of a neighbour, so that the kernel does not send an ARP request for this
    /// neighbour.
    pub(crate) fn add_neighbour(
        &self,
        interface: &str,
        address: Ipv4Addr,
        hardware: [u8; 6],
    ) -> io::Result<()> {
        // Fields of struct ndmsg: family, padding, index, state, flags, type.
        let header = [
            vec![family(), 0, 0, 0],
            index(interface)?.to_ne_bytes().to_vec(),
            NUD_PERMANENT.to_ne_bytes().to_vec(),
            vec![0, 0],
        ];
        let attributes = [attribute(NDA_DST, &address.octets()), attribute(NDA_LLADDR, &hardware)];
        let body = [header.concat(), attributes.concat()];
        self.request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    /// Sends a message and reads its acknowledgement. The acknowledgement has already arrived when
    /// `send(2)` returns.
    fn request(&self, kind: u16, flags: i32, body: &[Vec<u8>]) -> io::Result<()> {
        let body = body.concat();
        let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
        let flags = u16::try_from(NLM_F_REQUEST | NLM_F_ACK | flags).unwrap_or(0);
        let mut message = length.to_ne_bytes().to_vec();
        message.extend([kind.to_ne_bytes(), flags.to_ne_bytes()].concat());
        message.extend([0; 8]); // The sequence number is 0, and so is the kernel's port.
        message.extend(body);
        send(self.0.as_raw_fd(), &message, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let length = loop {
            match recv(self.0.as_raw_fd(), &mut answer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        match error_number(&answer[..length]) {
            Some(0) => Ok(()),
            Some(error) => Err(Errno::from_raw(-error).into()),
            None => Err(io::Error::other("the kernel did not acknowledge an rtnetlink(7) message")),
        }
    }
}

/// Returns the error number in an acknowledgement, where 0 means success. Returns `None` for any
/// other message (netlink(7)).
fn error_number(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    let error = answer.get(HEADER..)?.first_chunk()?;
    (i32::from(kind) == NLMSG_ERROR).then(|| i32::from_ne_bytes(*error))
}

/// Builds a struct ifinfomsg: family, type, index, flags, and the mask of flags to change.
fn link(index: u32, flags: i32) -> Vec<u8> {
    let flags = flags.to_ne_bytes();
    [[0; 4], index.to_ne_bytes(), flags, flags].concat()
}

fn index(interface: &str) -> io::Result<u32> {
    Ok(if_nametoindex(interface)?)
}

fn family() -> u8 {
    u8::try_from(AF_INET).unwrap_or(0)
}

fn name(interface: &str) -> Vec<u8> {
    attribute(IFLA_IFNAME, &[interface.as_bytes(), &[0]].concat())
}

/// Builds an attribute: length, kind, and octets that are padded to a multiple of 4. The octets may themselves be
/// attributes.
fn attribute(kind: u16, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + octets.len()).unwrap_or(u16::MAX);
    let mut attribute = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    attribute.extend(octets);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_acknowledgement_has_an_error_number() {
        let message = |kind: i32, error: i32| {
            let kind = u16::try_from(kind).expect("a kind").to_ne_bytes();
            [&[0; 4], &kind[..], &[0; 10], &error.to_ne_bytes()].concat()
        };
        assert_eq!(error_number(&message(NLMSG_ERROR, -17)), Some(-17));
        assert_eq!(error_number(&message(NLMSG_ERROR, 0)), Some(0));
        assert_eq!(error_number(&message(NLMSG_ERROR + 1, 0)), None);
        assert_eq!(error_number(&message(NLMSG_ERROR, 0)[..18]), None);
    }

    #[test]
    fn an_attribute_begins_with_its_unpadded_length_and_its_kind() {
        let length = 7_u16.to_ne_bytes();
        let kind = IFLA_IFNAME.to_ne_bytes();
        assert_eq!(name("lo"), [&length[..], &kind, b"lo\0", &[0]].concat());
        assert_eq!(attribute(1, &[]), [4_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
    }

    #[test]
    fn a_refusal_of_the_kernel_is_an_error_with_its_number() {
        let setup = NetworkSetup::open().expect("any user may open it");
        let refused = setup.request(RTM_NEWLINK, 0, &[link(u32::MAX, 0)]).expect_err("no such");
        // A user without the necessary right gets EPERM, so the test accepts EPERM too.
        let numbers = [Errno::ENODEV, Errno::EINVAL, Errno::EPERM].map(|it| Some(it as i32));
        assert!(numbers.contains(&refused.raw_os_error()), "{refused:?}");
    }
}
