//! What the table beside a picture says, and the list of its calls.

use super::picture::{attribute, has_class, words};
use roxmltree::Node;

/// The texts of a table row, and where it claims to belong.
#[derive(Clone, Debug)]
pub struct Row {
    pub number: usize,
    pub sent: Figure,
    pub arrived: Vec<Figure>,
    pub from: String,
    pub to: String,
    pub what: String,
    pub fate: String,
}

/// A number as it is printed, in nanoseconds, and half a unit of its last digit.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    ns: f64,
    tolerance: f64,
}

impl Figure {
    /// Reads a number of this unit.
    pub fn read(text: &str, unit: &str) -> Self {
        let unit = match unit {
            "s" => 1e9,
            "ms" => 1e6,
            "µs" => 1e3,
            "ns" => 1.0,
            other => panic!("unit {other:?}"),
        };
        let plain = text.replace([' ', '\u{a0}', '\u{202f}'], "");
        let decimals = plain.split_once('.').map_or(0, |it| it.1.len());
        let digit = unit / 10_f64.powi(i32::try_from(decimals).expect("few digits"));
        let number: f64 = plain.parse().unwrap_or_else(|_| panic!("a number: {text:?}"));
        Self { ns: number * unit, tolerance: digit / 2.0 + 1e-3 }
    }

    /// Returns whether the number is this time, rounded.
    pub fn is(self, ns: f64) -> bool {
        (self.ns - ns).abs() <= self.tolerance
    }

    /// Returns the earliest and the latest time that print so.
    pub fn range(self) -> (f64, f64) {
        (self.ns - self.tolerance, self.ns + self.tolerance)
    }
}

/// Returns the rows of the main table.
pub fn rows(figure: Node<'_, '_>) -> Vec<Row> {
    let main = figure.descendants().filter(|it| is(*it, "table") && has_class(*it, "packets"));
    main.flat_map(body).collect()
}

/// Reads the rows of the main table. Each says its number in an attribute, too.
fn body(table: Node<'_, '_>) -> Vec<Row> {
    let head: Vec<String> = table.descendants().filter(|it| is(*it, "th")).map(words).collect();
    let unit = unit(&head);
    let body = table.descendants().find(|it| is(*it, "tbody")).expect("a body");
    let rows = body.children().filter(|it| is(*it, "tr") && !it.has_attribute("data-packets"));
    let cells = |row: Node<'_, '_>| {
        let cells: Vec<String> = row.children().filter(|it| is(*it, "td")).map(words).collect();
        assert_eq!(attribute(row, "data-packet"), cells[0]);
        cells
    };
    rows.map(|it| row(cells(it), &unit)).collect()
}

/// Returns the rows of omitted packets, whose cells and rows have no end tags, as HTML permits.
pub fn rest(details: &str) -> Vec<Row> {
    let (head, body) = details.split_once("<tbody>").expect("a body");
    let body = body.split("</").next().expect("an end");
    let cells = |text: &str, tag: &str| -> Vec<String> {
        text.split(tag).skip(1).map(|it| plain(it.split('<').next().expect("a text"))).collect()
    };
    let unit = unit(&cells(head, "<th scope=\"col\">"));
    body.split("<tr>").skip(1).map(|it| row(cells(it, "<td>"), &unit)).collect()
}

fn unit(head: &[String]) -> String {
    head.get(1).and_then(|it| it.strip_prefix("sent, ")).expect("a unit").to_owned()
}

/// Returns a text of HTML without its escapes.
fn plain(text: &str) -> String {
    let pairs = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (escape, it)| text.replace(escape, it))
}

fn row(cells: Vec<String>, unit: &str) -> Row {
    let [number, sent, arrived, from, to, what, fate]: [String; 7] =
        cells.try_into().unwrap_or_else(|cells| panic!("seven cells: {cells:?}"));
    let arrived = arrived.split([',', ';', ' ']).filter(|it| !it.is_empty() && *it != "–");
    Row {
        number: number.parse().expect("a number"),
        sent: Figure::read(&sent, unit),
        arrived: arrived.map(|it| Figure::read(it, unit)).collect(),
        from,
        to,
        what,
        fate,
    }
}

/// An item of the list below a picture: a call or a short state.
#[derive(Clone, Debug)]
pub struct Item {
    pub at: Figure,
    pub host: String,
    pub says: String,
}

impl Item {
    /// Returns whether the item is this call.
    pub fn is(&self, host: &str, says: &str, at: f64) -> bool {
        self.host == host && self.says == says && self.at.is(at)
    }
}

/// Returns the calls and short states that a list names. `None` if there is no list.
pub fn listed(figure: Node<'_, '_>) -> Option<Vec<Item>> {
    let list = figure.descendants().find(|it| has_class(*it, "calllist"))?;
    Some(list.descendants().filter(|it| is(*it, "li")).map(item).collect())
}

fn item(item: Node<'_, '_>) -> Item {
    let part = |is_it: &dyn Fn(Node<'_, '_>) -> bool| {
        item.descendants().find(|it| is_it(*it)).map(words).expect("a part of the item")
    };
    let time = part(&|it| has_class(it, "t"));
    let (number, unit) = time.split_once(' ').expect("a time with a unit");
    let host: String = item.children().filter(Node::is_text).filter_map(|it| it.text()).collect();
    let says = part(&|it| is(it, "code"));
    Item { at: Figure::read(number, unit), host: host.trim().to_owned(), says }
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().name() == name
}
