//! A headless browser on the built page: `dist/` is served on loopback and Chromium is driven through ChromeDriver.
//!
//! [`Page::open`] does all of it and ends every process when the value is dropped. The page says what it is doing
//! in `data-*` attributes of its `<body>` (listed in the documentation of the package `web`).

mod page;
mod server;
mod webdriver;

pub use page::{Browser, Page};
pub use server::Server;
pub use webdriver::{LogEntry, WebDriver};
