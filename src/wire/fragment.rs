//! Finds a fragment's position in its packet (RFC 791, section 3.2; RFC 8200, section 4.5).

use etherparse::LaxIpSlice;

/// A fragment's position in its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The packet's identification, which all its fragments share.
    pub identification: u32,
    /// Position of the fragment's octets in the whole packet; 0 for the first fragment.
    pub offset: usize,
}

impl Fragment {
    /// Returns the fragment's position, or `None` if the packet is not a fragment.
    pub(super) fn of(ip: &LaxIpSlice, octets: &[u8]) -> Option<Self> {
        let (identification, offset, has_more) = match ip {
            LaxIpSlice::Ipv4(v4) => {
                let header = v4.header();
                let offset = header.fragments_offset().byte_offset().into();
                (header.identification().into(), offset, header.more_fragments())
            }
            LaxIpSlice::Ipv6(_) => of_ipv6(octets)?,
        };
        (offset > 0 || has_more).then_some(Self { identification, offset })
    }
}

/// Reads the IPv6 fragment header, if there is one. This function does not use etherparse's
/// iterator over extension headers: in version 0.21, the iterator reads beyond the packet if an
/// extension header is cut off.
fn of_ipv6(octets: &[u8]) -> Option<(u32, usize, bool)> {
    const OPTIONS_AND_ROUTING: [u8; 3] = [0, 43, 60];
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    let (mut kind, mut rest) = (*octets.get(6)?, octets.get(40..)?);
    loop {
        let [next, length, c, d, identification @ ..] = *rest.first_chunk::<8>()?;
        let octets = match kind {
            FRAGMENT => {
                let place = u16::from_be_bytes([c, d]);
                let offset = usize::from(place & !7);
                return Some((u32::from_be_bytes(identification), offset, place & 1 == 1));
            }
            AUTHENTICATION => 4 * (usize::from(length) + 2),
            _ if OPTIONS_AND_ROUTING.contains(&kind) => 8 * (usize::from(length) + 1),
            _ => return None,
        };
        (kind, rest) = (next, rest.get(octets..)?);
    }
}
