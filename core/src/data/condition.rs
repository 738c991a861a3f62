//! Conditions on the columns of a row: which rows of a log count.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Column,
    evidence::number,
    moment::{DateOrder, Moment},
};
use crate::{Error, Result};

/// Conditions that a row must meet, all of them; written with `;` between them, as in `event=buy,cart; price>=3`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Conditions(Vec<Condition>);

/// One condition on one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// The column.
    pub(super) column: Column,
    operator: Operator,
    /// The values as they were written.
    values: Vec<Value>,
}

#[derive(Clone, Debug, PartialEq)]
struct Value {
    text: String,
    number: Option<f64>,
    moment: Option<Moment>,
}

/// The operators, longer ones first.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("!=", Operator::NoneOf),
    (">", Operator::Above),
    ("<", Operator::Below),
    ("=", Operator::OneOf),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    OneOf,
    NoneOf,
    AtLeast,
    AtMost,
    Above,
    Below,
}

impl Conditions {
    /// The conditions in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Condition {
    /// Whether a value meets it. A value that is no number or time meets no comparison.
    pub(super) fn holds(&self, value: &[u8]) -> bool {
        match self.operator {
            Operator::OneOf => self.values.iter().any(|one| one.is(value)),
            Operator::NoneOf => !self.values.iter().any(|one| one.is(value)),
            comparison => self.values.first().is_some_and(|bound| bound.compares(value, comparison)),
        }
    }
}

impl Value {
    fn of(text: &str) -> Self {
        let moment = Moment::parse(text, DateOrder::MonthFirst);
        Self { text: text.to_owned(), number: number(text), moment }
    }

    fn is(&self, value: &[u8]) -> bool {
        value == self.text.as_bytes()
            || self.number.is_some_and(|wanted| {
                // 5 and 5.0 are one value.
                std::str::from_utf8(value).ok().and_then(number) == Some(wanted)
            })
    }

    fn compares(&self, value: &[u8], operator: Operator) -> bool {
        let Ok(value) = std::str::from_utf8(value) else { return false };
        let order = match (self.number, self.moment) {
            (Some(bound), _) => number(value).and_then(|value| value.partial_cmp(&bound)),
            (None, Some(bound)) => {
                Moment::parse(value, DateOrder::MonthFirst).map(|moment| moment.cmp(&bound))
            }
            (None, None) => None,
        };
        order.is_some_and(|order| match operator {
            Operator::AtLeast => order.is_ge(),
            Operator::AtMost => order.is_le(),
            Operator::Above => order.is_gt(),
            Operator::Below => order.is_lt(),
            Operator::OneOf | Operator::NoneOf => false,
        })
    }
}

impl FromStr for Conditions {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split(';').filter(|one| !one.trim().is_empty()).map(condition).collect::<Result<_>>().map(Self)
    }
}

fn condition(text: &str) -> Result<Condition> {
    let wrong = |problem: String| {
        Error::setting(
            "where",
            format!("{problem}; write COLUMN=VALUE,VALUE or COLUMN!=VALUE or COLUMN>=NUMBER"),
        )
    };
    let first = OPERATORS.iter().filter_map(|&(sign, operator)| Some((text.find(sign)?, sign, operator)));
    // Of operators that begin at one place, the longest.
    let found = first.min_by_key(|&(at, sign, _)| (at, std::cmp::Reverse(sign.len())));
    let (at, sign, operator) = found.ok_or_else(|| wrong(format!("no =, != or >= in {text:?}")))?;
    let (column, values) = (text[..at].trim(), text[at + sign.len()..].trim());
    // `column! = value` is no doubt a broken `!=`.
    if column.is_empty() || values.is_empty() || column.ends_with('!') {
        return Err(wrong(format!("{text:?} lacks a column or a value")));
    }
    let values = match operator {
        Operator::OneOf | Operator::NoneOf => {
            values.split(',').map(|value| Value::of(value.trim())).collect()
        }
        _ => {
            let bound = Value::of(values);
            if bound.number.is_none() && bound.moment.is_none() {
                return Err(wrong(format!("{values:?} is neither a number nor a time")));
            }
            vec![bound]
        }
    };
    Ok(Condition { column: Column::from(column), operator, values })
}

impl fmt::Display for Condition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = OPERATORS.iter().find(|known| known.1 == self.operator).map_or("", |known| known.0);
        let values: Vec<&str> = self.values.iter().map(|value| value.text.as_str()).collect();
        write!(out, "{}{sign}{}", self.column, values.join(","))
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        out.write_str(&all.join(";"))
    }
}

impl TryFrom<String> for Conditions {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Conditions> for String {
    fn from(conditions: Conditions) -> Self {
        conditions.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn conditions_that_are_read_are_printed_and_read_again(
            text in prop_oneof!["[a-c=!<>;, 0-9.:-]{0,20}", "\\PC{0,20}"],
            value in prop_oneof!["[a-c0-9.:-]{0,8}", "\\PC{0,8}"],
        ) {
            if let Ok(all) = text.parse::<Conditions>() {
                prop_assert_eq!(&all.to_string().parse::<Conditions>().unwrap(), &all, "{}", all);
                let _ = all.iter().filter(|one| one.holds(value.as_bytes())).count();
            }
        }

        #[test]
        fn an_operator_is_written_without_blanks(name in "[a-c]{1,4}", value in "[a-c]{1,4}") {
            let read = |text: String| text.parse::<Conditions>().is_ok();
            let (broken, whole) = (read(format!("{name}! ={value}")), read(format!("{name} != {value}")));
            prop_assert_eq!((broken, whole), (false, true));
        }

        #[test]
        fn comparisons_are_those_of_numbers(bound in -1000i32..1000, value in -1000i32..1000, tenth in 0u8..10) {
            let (bound, value) = (f64::from(bound) / 8.0, f64::from(value) / 8.0 + f64::from(tenth));
            for (sign, expected) in
                [(">=", value >= bound), ("<=", value <= bound), (">", value > bound), ("<", value < bound)]
            {
                let all: Conditions = format!("price{sign}{bound}").parse().unwrap();
                let held = all.iter().all(|one| one.holds(value.to_string().as_bytes()));
                prop_assert_eq!(held, expected, "{} {} {}", value, sign, bound);
            }
            let is: Conditions = format!("price={bound}").parse().unwrap();
            let isnt: Conditions = format!("price!={bound}").parse().unwrap();
            let holds = |all: &Conditions| all.iter().all(|one| one.holds(value.to_string().as_bytes()));
            prop_assert_eq!((holds(&is), holds(&isnt)), (value == bound, value != bound));
        }
    }

    #[test]
    fn conditions_choose_values() {
        let holds = |text: &str, value: &str| {
            let all: Conditions = text.parse().unwrap();
            assert_eq!(all.to_string().parse::<Conditions>().unwrap(), all);
            all.iter().all(|one| one.holds(value.as_bytes()))
        };
        assert!(holds("event=buy,cart", "cart") && !holds("event=buy,cart", "view"));
        assert!(holds("n=5", "5.0") && !holds("n!=5", "5.0") && holds("n!=NA", "x"));
        assert!(holds("n>=3", "3") && !holds("n>3", "3") && holds("n<=3,5", "3.4") && !holds("n>3", "many"));
        assert!(holds("day>=2024-01-02", "2024-01-02T10:00:00Z") && !holds("day<2024-01-02", "2024-01-03"));
        assert!(holds("n>=1;n<3", "2") && !holds("n>=1; n<3", "3"));
        for wrong in ["event", "=buy", "n>=", "n>=many"] {
            assert!(wrong.parse::<Conditions>().unwrap_err().is_usage(), "{wrong}");
        }
    }
}
