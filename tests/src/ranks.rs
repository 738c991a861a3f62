//! Threads that train one model together, as the processes of a cluster would.

use std::sync::{
    Mutex,
    mpsc::{Receiver, Sender, channel},
};

use fastvae::{Error, Result, train::Exchange};

/// An exchange between threads. When one of them is dropped, the calls of the others fail.
pub struct Threads {
    rank: usize,
    /// To every thread, by rank; this one included.
    to: Vec<Sender<Vec<u32>>>,
    /// From every thread, by rank.
    from: Mutex<Vec<Receiver<Vec<u32>>>>,
}

impl Threads {
    /// One exchange for each of `ranks` threads.
    pub fn new(ranks: usize) -> Vec<Self> {
        let mut to: Vec<Vec<_>> = (0..ranks).map(|_| Vec::new()).collect();
        let mut from: Vec<Vec<_>> = (0..ranks).map(|_| Vec::new()).collect();
        for sends in &mut to {
            for receives in &mut from {
                let (sender, receiver) = channel();
                sends.push(sender);
                receives.push(receiver);
            }
        }
        let ends = to.into_iter().zip(from).enumerate();
        ends.map(|(rank, (to, from))| Self { rank, to, from: Mutex::new(from) }).collect()
    }
}

impl Exchange for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.to.len()
    }

    fn all_gather(&self, words: Vec<u32>) -> Result<Vec<Vec<u32>>> {
        let gone = |rank: usize| Error::Device(format!("process {rank} has left"));
        for (rank, to) in self.to.iter().enumerate() {
            to.send(words.clone()).map_err(|_| gone(rank))?;
        }
        let from = self.from.lock().expect("no thread has panicked in here");
        from.iter().enumerate().map(|(rank, from)| from.recv().map_err(|_| gone(rank))).collect()
    }
}
