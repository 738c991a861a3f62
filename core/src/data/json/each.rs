//! Objects with a list of items of which each has a rating, a time or a value for a condition of its own:
//! `{"user": 1, "events": [{"item": 2, "time": 3}, ..]}`.

use serde_json::value::RawValue;

use super::{JsonObjects, Object, Roles, Row, Shard, find, text_of};

/// What the items of a list have: the same value, or one each.
enum Each {
    Same(String),
    Own(Vec<String>),
}

impl Each {
    fn of(&self, at: usize) -> &str {
        match self {
            Self::Same(value) => value,
            Self::Own(values) => &values[at],
        }
    }
}

impl JsonObjects {
    /// Whether each item of a list has a rating, a time or a value for a condition of its own.
    pub(super) fn is_each_apart(&self, object: &Object<'_>) -> Result<bool, String> {
        let Roles { rating, time, conditions, .. } = &self.roles;
        for &at in conditions.iter().chain(rating).chain(time) {
            let key = &self.keys[at];
            if self.constant(key).is_none() && find(object, key)?.is_some_and(|value| value.starts_with('['))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds the items of a list with what each of them has.
    pub(super) fn add_each(&self, object: &Object<'_>, shard: &mut Shard) -> Result<(), String> {
        let values = |at: usize| -> Result<Each, String> {
            let key = &self.keys[at];
            if let Some(value) = self.constant(key) {
                return Ok(Each::Same(value.to_owned()));
            }
            let Some(value) = find(object, key)? else { return Ok(Each::Same(String::new())) };
            if !value.starts_with('[') {
                return Ok(Each::Same(text_of(&value).into_owned()));
            }
            let all: Vec<&RawValue> = serde_json::from_str(&value).map_err(|error| error.to_string())?;
            Ok(Each::Own(all.iter().map(|value| text_of(value.get()).into_owned()).collect()))
        };
        let Each::Own(items) = values(self.roles.item)? else {
            return Err(format!("{:?} is one value, and others are lists", self.keys[self.roles.item]));
        };
        let user = match values(self.roles.user)? {
            Each::Same(user) => user,
            Each::Own(_) => return Err(format!("the value of {:?} is a list", self.keys[self.roles.user])),
        };
        let conditions =
            self.roles.conditions.iter().map(|&at| values(at)).collect::<Result<Vec<_>, String>>()?;
        let rating = self.roles.rating.map(values).transpose()?;
        let time = self.roles.time.map(values).transpose()?;
        let lists = conditions.iter().chain(&rating).chain(&time);
        if let Some(Each::Own(other)) =
            lists.into_iter().find(|each| matches!(each, Each::Own(other) if other.len() != items.len()))
        {
            return Err(format!("a list of {} items has {} values of another key", items.len(), other.len()));
        }
        for (at, item) in items.iter().enumerate() {
            let mut pairs = conditions.iter().zip(&self.conditions);
            if !pairs.all(|(each, condition)| condition.holds(each.of(at).as_bytes())) {
                shard.left_out.unmet_conditions += 1;
                continue;
            }
            shard.add(&Row {
                user: user.trim().as_bytes(),
                item: item.trim().as_bytes(),
                rating: rating.as_ref().map(|each| each.of(at).as_bytes()),
                time: time.as_ref().map(|each| each.of(at).as_bytes()),
            })?;
        }
        Ok(())
    }
}
