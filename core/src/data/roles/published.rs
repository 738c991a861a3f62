//! Tables without a header as they were published, whose columns cannot be told apart by their values alone.

use super::View;
use crate::data::{
    evidence::{Kind, number},
    names::{ACTIONS, MORE, plain},
};

/// What all values of a column look like.
#[derive(Clone, Copy)]
enum Look {
    Text,
    /// Digits.
    Whole,
    Number,
    /// A time that is no number.
    Date,
    Time,
    /// A hash.
    Hex,
    Uuid,
    /// A word for what was done.
    Action,
}

/// A set and its columns.
pub(super) struct Published {
    pub(super) set: &'static str,
    columns: &'static [Look],
    pub(super) user: usize,
    pub(super) item: usize,
}

use Look::{Action, Date, Hex, Number, Text, Time, Uuid, Whole};

#[rustfmt::skip]
const PUBLISHED: &[Published] = &[
    Published { set: "Yoochoose's clicks", columns: &[Whole, Date, Whole, Text], user: 0, item: 2 },
    Published { set: "Yoochoose's purchases", columns: &[Whole, Date, Whole, Whole, Whole], user: 0, item: 2 },
    Published { set: "Taobao's UserBehavior", columns: &[Whole, Whole, Whole, Action, Time], user: 0, item: 1 },
    Published { set: "Steam 200K", columns: &[Whole, Text, Action, Number, Number], user: 0, item: 1 },
    Published { set: "Last.fm 1K", columns: &[Text, Date, Uuid, Text, Uuid, Text], user: 0, item: 4 },
    Published { set: "Last.fm 360K", columns: &[Hex, Uuid, Text, Number], user: 0, item: 1 },
    Published { set: "Foursquare's check-ins", columns: &[Whole, Hex, Date, Number], user: 0, item: 1 },
    Published { set: "Foursquare's check-ins in a city", columns: &[Whole, Hex, Hex, Text, Number, Number, Number, Date], user: 0, item: 1 },
];

impl View<'_> {
    /// The set whose columns look like these.
    pub(super) fn published(&self) -> Option<&'static Published> {
        PUBLISHED.iter().find(|set| {
            MORE && set.columns.len() == self.own_width()
                && (0..self.own_width()).all(|at| self.looks(at, set.columns[at]))
        })
    }

    fn looks(&self, at: usize, look: Look) -> bool {
        let evidence = self.evidence(at);
        let every = |test: &dyn Fn(&str) -> bool| evidence.values().all(test);
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        evidence.len() > 0
            && match look {
                Text => true,
                Whole => every(&digits),
                Number => every(&|text| number(text).is_some()),
                Date => evidence.kind == Kind::Time && !evidence.is_numeric(),
                Time => evidence.kind == Kind::Time,
                Hex => every(&|text| text.len() >= 20 && hex(text)),
                Uuid => every(&|text| text.len() == 36 && hex(text)),
                Action => every(&|text| ACTIONS.contains(&plain(text).as_str())),
            }
    }
}
