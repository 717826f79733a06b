//! Reads numbers and options in a block, in the file's byte order.

/// The octets in a block that have not been read yet.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub rest: &'a [u8],
    pub is_big_endian: bool,
}

impl<'a> Fields<'a> {
    /// Returns the next `N` octets in network byte order.
    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        let mut number = *number;
        if !self.is_big_endian {
            number.reverse();
        }
        Some(number)
    }

    pub(super) fn next_u16(&mut self) -> Option<u16> {
        self.number().map(u16::from_be_bytes)
    }

    pub(super) fn next_u32(&mut self) -> Option<u32> {
        self.number().map(u32::from_be_bytes)
    }

    pub(super) fn next_i64(&mut self) -> Option<i64> {
        self.number().map(i64::from_be_bytes)
    }

    /// Returns the next `N` numbers, or `None` if fewer are present.
    pub(super) fn next_u32s<const N: usize>(&mut self) -> Option<[u32; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            *number = self.next_u32()?;
        }
        Some(numbers)
    }

    /// Returns the given number of octets, and skips the padding after them, up to a multiple of
    /// four.
    pub(super) fn take(&mut self, octets: usize) -> Option<&'a [u8]> {
        let taken = self.rest.get(..octets)?;
        self.rest = self.rest.get(octets.next_multiple_of(4)..).unwrap_or_default();
        Some(taken)
    }

    /// Iterates over the options as pairs of code and value. Stops at the first incomplete option.
    pub(super) fn options(mut self) -> impl Iterator<Item = (u16, &'a [u8])> {
        std::iter::from_fn(move || {
            let (code, length) = (self.next_u16()?, self.next_u16()?);
            let value = self.take(length.into())?;
            (code != 0).then_some((code, value))
        })
    }
}
