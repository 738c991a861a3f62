//! Every form of a time, and texts that are none.

use proptest::prelude::*;

use super::*;

#[test]
fn every_form_is_the_same_moment() {
    let expected = Moment(1_704_164_645 * SECOND);
    for text in [
        "1704164645",
        "1704164645.0",
        "1704164645000",
        "1704164645000000",
        "1704164645000000000",
        "2024-01-02T03:04:05Z",
        "2024-01-02 03:04:05",
        "2024-01-02T03:04:05.000+00:00",
        "2024-01-02T05:04:05+0200",
        "2024/01/02 03:04:05",
        "1/2/2024 3:04:05 AM",
        "02.01.2024 03:04:05",
        "2 Jan 2024 03:04:05",
        "Jan 2, 2024 3:04:05AM",
        "Tue Jan 02 03:04:05 +0000 2024",
        "Tue, 02 Jan 2024 03:04:05 GMT",
        "2024-01-02 03:04:05 UTC",
        "02-Jan-2024 03:04:05",
        "20240102T030405Z",
        "20240102T050405+0200",
        "20240102030405",
        "/Date(1704164645000)/",
    ] {
        assert_eq!(Moment::parse(text, DateOrder::MonthFirst), Some(expected), "{text}");
    }
    assert_eq!(Moment::parse("2/1/2024 03:04:05", DateOrder::DayFirst), Some(expected));
    assert_eq!(expected.to_string(), "2024-01-02T03:04:05Z");
    for text in ["2024-01-02", "20240102", "1/2/24"] {
        assert_eq!(
            Moment::parse(text, DateOrder::MonthFirst).map(|day| day.to_string()).as_deref(),
            Some("2024-01-02")
        );
    }
    let of = |text: &str| Moment::parse(text, DateOrder::MonthFirst).map(|one| one.to_string());
    if MORE {
        for text in [
            "2024年1月2日",
            "2024년 1월 2일",
            "2024-01-02_00:00:00",
            "02/Jan/2024:00:00:00 +0000",
            "2024-W01-2",
        ] {
            assert_eq!(of(text).as_deref(), Some("2024-01-02"), "{text}");
            assert!(is_time(text), "{text}");
        }
        assert_eq!(of("02-01-2024 03.04.05"), of("02-01-2024 03:04:05"));
        assert_eq!(of("2020-W53-7").as_deref(), Some("2021-01-03"));
    }
    assert!(is_time("31.12.2024") && is_time("2024.12.31") && !is_time("10.2.19") && !is_time("2024-W54-1"));
    assert!(["7:46", "07:46:51", "12:30:00.5", "9:15 PM"].iter().all(|text| is_clock(text)));
    assert!(["7.46", "u1:2", "99:10", "a:b", "�", "7:4�"].iter().all(|text| !is_clock(text)));
    assert!(is_day("20240229") && !is_day("20230229") && !is_day("12345678"));
    for text in ["2024-03", "2024/3", "03/2024", "3/2024", "March 2024", "Mar-2024", "sept. 2024"] {
        let month = Moment::parse(text, DateOrder::MonthFirst).map(|month| month.to_string());
        let expected = if text.starts_with('s') { "2024-09-01" } else { "2024-03-01" };
        assert_eq!(month.as_deref(), Some(expected), "{text}");
        assert!(is_time(text), "{text}");
    }
    assert_eq!(Moment::parse("17", DateOrder::MonthFirst).map(|one| one.to_string()).as_deref(), Some("17"));
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "u1",
        "2024-13-01",
        "2023-02-29",
        "1-2",
        "2024-13",
        "0000-01",
        "1234-05",
        "2024-2025",
        "12/34",
        "Marathon 1976",
        "Decoy 1984",
        "B000123456",
        "12:30",
        "1.2.3.4",
        "a:b",
        "The 2024-01-02",
        "nan",
    ] {
        assert_eq!(Moment::parse(text, DateOrder::MonthFirst), None, "{text}");
    }
    assert!(!is_time("20240102") && !is_time("100") && !is_time("214536502") && is_time("881250949"));
}

#[test]
fn days_come_back() {
    for days in (-700_000..900_000).step_by(97) {
        let (year, month, day) = calendar(days);
        assert_eq!(civil(year, month, day), Some(Moment(days * DAY)));
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(moment in prop_oneof![
        -100_000_000_000_000_000i64..100_000_000_000_000_000,
        (-719_162i64..2_932_897).prop_map(|day| day * DAY),
        (0i64..100_000_000).prop_map(|second| second * SECOND),
    ]) {
        let moment = Moment(moment);
        prop_assert_eq!(moment.to_string().parse::<Moment>().unwrap(), moment, "{}", moment);
    }

    #[test]
    fn every_form_of_a_date_is_read(
        (year, month, day) in (1000i64..=9999, 1i64..=12, 1i64..=28),
        (hour, minute, second) in (0i64..24, 0i64..60, 0i64..60),
        zone in -12i64..=14,
    ) {
        let clock = ((hour * 60 + minute) * 60 + second) * SECOND;
        let expected = Moment(civil(year, month, day).unwrap().0 + clock);
        let name = &MONTHS[month as usize - 1][..3];
        let time = format!("{hour:02}:{minute:02}:{second:02}");
        let (half, twelfth) = (if hour < 12 { "AM" } else { "PM" }, (hour + 11) % 12 + 1);
        for text in [
            format!("{year}-{month:02}-{day:02}T{time}Z"),
            format!("{year}-{month}-{day} {time}"),
            format!("{year}/{month:02}/{day:02} {time}.000"),
            format!("{day:02}.{month:02}.{year} {time}"),
            format!("{month}/{day}/{year} {time}"),
            format!("{month}/{day}/{year} {twelfth}:{minute:02}:{second:02} {half}"),
            format!("{day} {name} {year} {time}"),
            format!("{day:02}-{name}-{year} {time}"),
            format!("{name} {day}, {year} {time}"),
            format!("{} {day}, {year} {time}", MONTHS[month as usize - 1]),
        ] {
            prop_assert_eq!(Moment::parse(&text, DateOrder::MonthFirst), Some(expected), "{}", text);
        }
        let sign = if zone < 0 { '-' } else { '+' };
        let text = format!("{year}-{month:02}-{day:02}T{time}{sign}{:02}:00", zone.abs());
        let there = Moment(expected.0 - zone * 3600 * SECOND);
        prop_assert_eq!(Moment::parse(&text, DateOrder::MonthFirst), Some(there), "{}", text);
    }

    #[test]
    fn no_text_panics(text in prop_oneof!["[0-9 .:/TZ+apmJunFeb,-]{0,24}", "\\PC{0,24}"]) {
        for order in [DateOrder::MonthFirst, DateOrder::DayFirst] {
            let _ = Moment::parse(&text, order);
        }
        let _ = (is_time(&text), date_order([text.as_str()].into_iter()));
    }
}

#[test]
fn day_and_month_are_ordered_by_what_the_values_allow() {
    assert_eq!(date_order(["1/2/2024", "13/2/2024"].into_iter()), Some(DateOrder::DayFirst));
    assert_eq!(date_order(["1/2/2024", "2/13/2024"].into_iter()), Some(DateOrder::MonthFirst));
    assert_eq!(date_order(["1/2/2024", "3/4/2024"].into_iter()), None);
}
