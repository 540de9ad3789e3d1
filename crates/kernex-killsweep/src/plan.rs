//! Which points there are: every call that counts, of one undisturbed run, in the order in which they were made.

use std::fmt;

/// A place in a run: right before a call that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Counts from 1, over all threads and processes of the agent.
    pub ordinal: u32,
    /// The call and what it was about in the undisturbed run.
    pub what: String,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.ordinal, self.what)
    }
}

/// Every point of a run, from the tracer's report.
pub(crate) fn points(report: &str) -> Vec<Point> {
    let point = |line: &str| {
        let (ordinal, what) = line.split_once(' ')?;
        Some(Point { ordinal: ordinal.parse().ok()?, what: what.to_owned() })
    };
    report.lines().filter_map(point).collect()
}

/// So many of the points, at even distances.
pub(crate) fn spread<T: Clone>(points: &[T], number: usize) -> Vec<T> {
    let number = number.min(points.len());
    (0..number).map(|index| points[index * points.len() / number].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_the_lines_of_the_report() {
        let points: Vec<String> =
            points("1 mkdir bundles\n2 write state.json.new\n").iter().map(ToString::to_string).collect();
        assert_eq!(points, ["1 (mkdir bundles)", "2 (write state.json.new)"]);
    }

    #[test]
    fn a_sample_reaches_from_the_beginning_to_the_end() {
        assert_eq!(spread(&[1, 2, 3, 4, 5, 6, 7, 8], 4), [1, 3, 5, 7]);
        assert_eq!(spread(&[1, 2], 4), [1, 2]);
    }
}
