//! Numbers and words as the page writes them.

use std::fmt::Write;

/// Text for element content and attribute values.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// `1,234,567`.
pub fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three digits that matter: `12.3`, `0.0412`, `1.2e-6`.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    let text = if value == 0.0 {
        "0".into()
    } else if !value.is_finite() {
        if value.is_nan() {
            "–".into()
        } else if value > 0.0 {
            "∞".into()
        } else {
            "−∞".into()
        }
    } else if !(1e-4..1e6).contains(&size) {
        format!("{value:.1e}")
    } else if size >= 100.0 {
        format!("{value:.0}")
    } else {
        let places = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.places$}")
    };
    text.replace('-', "−")
}

/// `12.3%`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p >= 10.0 => format!("{p:.0}%"),
        p if p >= 0.995 => format!("{p:.1}%"),
        p if p >= 0.0095 => format!("{p:.2}%"),
        p if p > 0.0 => "<0.01%".into(),
        _ => "0%".into(),
    }
}

/// `512 B`, `12.5 MiB`.
pub fn bytes(count: f64) -> String {
    let mut value = count;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return format!("{} {unit}", digits(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", digits(value))
}

/// Percent-encoding for addresses.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~,:/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Undoes [`encode`]; what is no encoding stays as it is.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match code {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// The `key=value` pairs of a query or a fragment.
pub fn pairs(address: &str) -> Vec<(String, String)> {
    let address = address.trim_start_matches(['?', '#']);
    address
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [0.0, 0.04123, 1.0, 12.34, 123.4, 1e-6, -0.5, 1.2e7].map(digits).into();
        assert_eq!(shown, ["0", "0.0412", "1.00", "12.3", "123", "1.0e−6", "−0.500", "1.2e7"]);
        assert_eq!(grouped(1_234_567u32), "1,234,567");
        assert_eq!([0.5, 0.0123, 0.00001, 0.0].map(percent), ["50%", "1.2%", "<0.01%", "0%"]);
        assert_eq!([512.0, 1024.0 * 1024.0 * 12.5].map(bytes), ["512 B", "12.5 MiB"]);
    }

    #[test]
    fn addresses_survive_the_way() {
        for text in ["midx,full", "a b&c=d", "Größe 100%", "data/x.zip"] {
            assert_eq!(decode(&encode(text)), text);
        }
        assert_eq!(decode("50%"), "50%");
        let read = pairs("#lesson=midx&cell=3%2C4&flag");
        assert_eq!(
            read,
            [("lesson", "midx"), ("cell", "3,4"), ("flag", "")].map(|(a, b)| (a.into(), b.into()))
        );
    }
}
