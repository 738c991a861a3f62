//! The built-in data set: invented films, and users with preferences.
//!
//! Each film has a popularity (Zipf), one to three genres and a period. Each user prefers two genres and one
//! period, and has also seen some films only because they are popular. So a model can learn more than
//! popularity, as in MovieLens. All computation uses integers from a counter-based generator: the set is the
//! same on every platform.

use serde::{Deserialize, Serialize};

use super::{
    Counts, Csr, Dataset, LoadReport, parallel,
    random::{Purpose, Stream},
};
use crate::{Error, Result};

/// The size and the seed of the built-in set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SyntheticOptions {
    /// Users.
    pub users: u32,
    /// Items; at least [`MIN_ITEMS`].
    pub items: u32,
    /// The shortest history.
    pub shortest: u32,
    /// The longest history; the mean is about a third of the way from the shortest.
    pub longest: u32,
    /// Seed: each value gives another set.
    pub seed: u64,
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        Self { users: 2000, items: 800, shortest: 12, longest: 120, seed: 0 }
    }
}

/// The smallest catalogue in which every genre and period has a few films.
pub const MIN_ITEMS: u32 = 100;

/// A genre: its name, and the words that its titles are made of.
struct Genre {
    name: &'static str,
    first: [&'static str; 8],
    second: [&'static str; 8],
}

const GENRES: [Genre; 10] = [
    Genre {
        name: "Science Fiction",
        first: ["Silent", "Last", "Second", "Orbital", "Distant", "Broken", "Seventh", "Frozen"],
        second: ["Colony", "Signal", "Orbit", "Machine", "Horizon", "Engine", "Planet", "Voyager"],
    },
    Genre {
        name: "Romance",
        first: ["Summer", "Midnight", "Paper", "Gentle", "Borrowed", "Sunday", "Almost", "Tender"],
        second: ["Letters", "Hearts", "Promise", "Waltz", "Kiss", "Proposal", "Garden", "Confession"],
    },
    Genre {
        name: "Crime",
        first: ["Crooked", "Dead", "Cold", "Easy", "Double", "Quiet", "Dirty", "Forged"],
        second: ["Alley", "Witness", "Money", "Alibi", "Harbor", "Verdict", "Heist", "Informant"],
    },
    Genre {
        name: "Comedy",
        first: ["Wrong", "Accidental", "Honest", "Unlucky", "Reluctant", "Perfect", "Noisy", "Runaway"],
        second: ["Neighbor", "Wedding", "Holiday", "Butler", "Tenant", "Goose", "Recipe", "Uncle"],
    },
    Genre {
        name: "Horror",
        first: ["Hollow", "Pale", "Whispering", "Rotten", "Buried", "Crimson", "Sleepless", "Starving"],
        second: ["House", "Well", "Cellar", "Scarecrow", "Mirror", "Doll", "Chapel", "Marsh"],
    },
    Genre {
        name: "Western",
        first: ["Lonesome", "Dusty", "Six", "Iron", "Stolen", "Burning", "Bitter", "Painted"],
        second: ["Canyon", "Rider", "Stallion", "Saloon", "Mesa", "Sheriff", "Railroad", "Prairie"],
    },
    Genre {
        name: "Animation",
        first: ["Tiny", "Flying", "Brave", "Sleepy", "Golden", "Curious", "Talking", "Upside-Down"],
        second: ["Fox", "Teapot", "Dragon", "Balloon", "Penguin", "Lantern", "Acorn", "Umbrella"],
    },
    Genre {
        name: "War",
        first: ["Forgotten", "Northern", "Final", "Muddy", "Steel", "Divided", "Captured", "Winter"],
        second: ["Regiment", "Bridge", "Front", "Convoy", "Trench", "Armistice", "Battalion", "Flag"],
    },
    Genre {
        name: "Documentary",
        first: ["Inside", "Beneath", "Beyond", "Counting", "Saving", "Following", "Mapping", "Remembering"],
        second: ["Rivers", "Glaciers", "Bees", "Cities", "Coral", "Elephants", "Bread", "Jazz"],
    },
    Genre {
        name: "Musical",
        first: ["Dancing", "Singing", "Electric", "Velvet", "Swinging", "Barefoot", "Lucky", "Moonlit"],
        second: ["Boulevard", "Orchestra", "Chorus", "Ballroom", "Trumpet", "Encore", "Melody", "Carousel"],
    },
];

/// The first year of each period and how many years it has.
const PERIODS: [(u64, u64); 4] = [(1948, 18), (1966, 18), (1984, 16), (2000, 22)];

struct Film {
    genres: Vec<usize>,
    period: usize,
    title: String,
}

/// Generates the built-in set.
///
/// # Errors
/// [`Error::Setting`] for no users, fewer than [`MIN_ITEMS`] items, or histories that are empty or longer
/// than half the catalogue.
pub fn synthetic(options: &SyntheticOptions) -> Result<Dataset> {
    if options.users == 0 {
        return Err(Error::setting("users", "0 users make no set; 2000 is the default"));
    }
    if options.items < MIN_ITEMS {
        return Err(Error::setting(
            "items",
            format!("{} items are too few; at least {MIN_ITEMS}", options.items),
        ));
    }
    if options.shortest == 0 || options.shortest > options.longest || options.longest > options.items / 2 {
        return Err(Error::setting(
            "longest",
            format!(
                "histories of {} to {} items do not fit: 1 <= shortest <= longest <= half the {} items",
                options.shortest, options.longest, options.items
            ),
        ));
    }
    let films = films(options);
    let popularity = popularity(options);
    let shelves = Shelves::new(&films, &popularity);
    let rows = parallel::map(options.users as usize, |user| history(user as u32, options, &shelves));
    let all = Csr::from_rows(&rows, options.items)?;
    // In a large catalogue some films are in no history; they are dropped, as in sets that are read from
    // files.
    let counts = all.column_counts();
    let seen: Vec<u32> = (0..options.items).filter(|&item| counts[item as usize] > 0).collect();
    let mut columns = vec![u32::MAX; counts.len()];
    for (new, &old) in seen.iter().enumerate() {
        columns[old as usize] = new as u32;
    }
    let users: Vec<u32> = (0..options.users).collect();
    let interactions = all.restrict(&users, &columns, seen.len() as u32);
    let before_core = Counts::of(&interactions);
    Ok(Dataset {
        name: "synthetic".into(),
        users: users.iter().map(|user| (user + 1).to_string()).collect(),
        items: seen.iter().map(|item| (item + 1).to_string()).collect(),
        titles: Some(seen.iter().map(|&item| films[item as usize].title.clone()).collect()),
        genres: Some(
            seen.iter()
                .map(|&item| films[item as usize].genres.iter().map(|&g| GENRES[g].name.to_owned()).collect())
                .collect(),
        ),
        report: LoadReport {
            form: format!("built-in set, seed {}", options.seed),
            rows: before_core.interactions,
            before_core,
            ..LoadReport::default()
        },
        interactions,
        given: None,
        times: None,
    })
}

fn films(options: &SyntheticOptions) -> Vec<Film> {
    let mut taken = std::collections::HashSet::new();
    (0..options.items)
        .map(|item| {
            let mut random = Stream::new(options.seed, Purpose::Item, item);
            // Genres and periods are assigned in turn, so that every pair of them has films, whatever the
            // size.
            let main = item as usize % GENRES.len();
            let period = item as usize / GENRES.len() % PERIODS.len();
            let mut genres = vec![main];
            for _ in 0..random.below(3) {
                let other = random.below(GENRES.len() as u64) as usize;
                if !genres.contains(&other) {
                    genres.push(other);
                }
            }
            let (start, years) = PERIODS[period];
            let year = start + random.below(years);
            let first = GENRES[main].first[random.below(8) as usize];
            let second = GENRES[*genres.last().unwrap_or(&main)].second[random.below(8) as usize];
            // Avoids titles such as "The Beneath Glaciers".
            let article = GENRES[main].name != "Documentary" && random.below(3) == 0;
            let name = if article { format!("The {first} {second}") } else { format!("{first} {second}") };
            let mut title = format!("{name} ({year})");
            let mut part = 1;
            while !taken.insert(title.clone()) {
                part += 1;
                title = format!("{name} {part} ({year})");
            }
            Film { genres, period, title }
        })
        .collect()
}

/// Zipf weights c / (rank + 10), with a random assignment of ranks to items.
fn popularity(options: &SyntheticOptions) -> Vec<u64> {
    let mut ranks: Vec<u64> = (0..u64::from(options.items)).collect();
    Stream::new(options.seed, Purpose::Popularity, 0).shuffle(&mut ranks, options.items as usize);
    ranks.into_iter().map(|rank| (1 << 32) / (rank + 10)).collect()
}

/// Items with weights to draw from.
#[derive(Default)]
struct Shelf {
    items: Vec<u32>,
    /// Running sums of the weights.
    sums: Vec<u64>,
}

impl Shelf {
    fn push(&mut self, item: u32, weight: u64) {
        let before = self.sums.last().copied().unwrap_or(0);
        self.items.push(item);
        self.sums.push(before + weight);
    }

    fn draw(&self, random: &mut Stream) -> Option<u32> {
        let at = random.below(*self.sums.last()?);
        Some(self.items[self.sums.partition_point(|&sum| sum <= at)])
    }
}

struct Shelves {
    all: Shelf,
    /// By genre and period; films of other periods are included with a sixteenth of their weight.
    tastes: Vec<[Shelf; PERIODS.len()]>,
}

impl Shelves {
    fn new(films: &[Film], popularity: &[u64]) -> Self {
        let mut shelves =
            Self { all: Shelf::default(), tastes: GENRES.iter().map(|_| Default::default()).collect() };
        for (item, (film, &weight)) in films.iter().zip(popularity).enumerate() {
            shelves.all.push(item as u32, weight);
            for (place, &genre) in film.genres.iter().enumerate() {
                // The first genre of a film is its main one.
                let weight = weight >> place;
                for (period, shelf) in shelves.tastes[genre].iter_mut().enumerate() {
                    shelf.push(item as u32, if period == film.period { weight } else { weight >> 4 });
                }
            }
        }
        shelves
    }
}

/// The history of one user: half from the preferred genre, a third from the second one, the rest by
/// popularity.
fn history(user: u32, options: &SyntheticOptions, shelves: &Shelves) -> Vec<u32> {
    let mut random = Stream::new(options.seed, Purpose::Taste, user);
    // The square of a uniform number: many short histories, few long ones.
    let spread = u64::from(options.longest - options.shortest) + 1;
    let uniform = random.below(1 << 16);
    let length = u64::from(options.shortest) + ((uniform * uniform * spread) >> 32);
    let count = GENRES.len() as u64;
    let best = random.below(count);
    let second = (best + 1 + random.below(count - 1)) % count;
    let period = random.below(PERIODS.len() as u64) as usize;
    let mut row: Vec<u32> = Vec::with_capacity(length as usize);
    // A genre and period may have few films: after many repeats, items are drawn by popularity, then
    // uniformly.
    let mut misses = 0;
    while (row.len() as u64) < length {
        let item = match random.below(6) {
            0..3 if misses < 200 => shelves.tastes[best as usize][period].draw(&mut random),
            3..5 if misses < 200 => shelves.tastes[second as usize][period].draw(&mut random),
            _ if misses < 400 => shelves.all.draw(&mut random),
            _ => Some(random.below(u64::from(options.items)) as u32),
        };
        match item {
            Some(item) if !row.contains(&item) => row.push(item),
            _ => misses += 1,
        }
    }
    row
}
