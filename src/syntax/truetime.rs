//! The form that TrueTime's time servers send (NTS-100 and Symmetricom's successors): English
//! abbreviations, a comma after the year, `-UTC`, and no line ending.

use super::cursor::{Cursor, Mismatch};
use super::recognised::{Form, Parts};
use super::zone_text::ZoneText;

pub(super) fn read<'a>(cursor: &mut Cursor<'a>) -> Result<Parts<'a>, Mismatch> {
    let abbreviation = |cursor: &Cursor| cursor.rest().get(3) == Some(&b',');
    if !abbreviation(cursor) {
        return cursor.fail("an abbreviated weekday");
    }
    let weekday = cursor.with_gap(Cursor::weekday)?;
    let month = cursor.month()?;
    cursor.spaces()?;
    let day = cursor.day()?;
    cursor.octet(b',', "a comma after the day")?;
    cursor.spaces()?;
    let year = cursor.full_year()?;
    cursor.octet(b',', "a comma after the year")?;
    cursor.spaces()?;
    let date = cursor.date(year, month, day)?;
    let time = cursor.time()?;
    cursor.octet(b'-', "a hyphen and the zone")?;
    let zone = Some(ZoneText::read(cursor)?);
    Ok(Parts { weekday, zone, ..Parts::new(Form::TrueTime, date, time) })
}

#[cfg(test)]
mod tests {
    use super::super::tests_at::read;

    #[test]
    fn a_reply_without_a_line_end_is_read() {
        assert_eq!(read("Tue, Mar 14, 2006, 09:41:07-UTC"), "truetime 2006-03-14T09:41:07Z UTC");
    }
}
