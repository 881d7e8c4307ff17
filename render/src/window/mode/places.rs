//! Where displays lie when some of them have become larger or smaller. Pure.

/// Where a display lies among the others, and how much it shows; in pixels, or, under Wayland, in the
/// compositor's units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub at: (i32, i32),
    pub size: (i32, i32),
}

impl Spot {
    pub(super) fn right(&self) -> i32 {
        self.at.0.saturating_add(self.size.0)
    }

    pub(super) fn bottom(&self) -> i32 {
        self.at.1.saturating_add(self.size.1)
    }
}

/// The places of displays that get these sizes. Each is moved by what those to the left of it or above
/// it have become wider or lower: what lay side by side does so again.
pub(super) fn joined(before: &[Spot], sizes: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let moved = |own: &Spot| {
        let (mut x, mut y) = own.at;
        for (other, size) in before.iter().zip(sizes) {
            let beside = other.at.1 < own.bottom() && own.at.1 < other.bottom();
            let above = other.at.0 < own.right() && own.at.0 < other.right();
            if beside && other.right() <= own.at.0 {
                x = x.saturating_add(size.0 - other.size.0);
            }
            if above && other.bottom() <= own.at.1 {
                y = y.saturating_add(size.1 - other.size.1);
            }
        }
        (x.max(0), y.max(0))
    };
    before.iter().map(moved).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_that_change_stay_side_by_side() {
        let (uhd, fhd) = ((3840, 2160), (1920, 1080));
        for (case, before, sizes, at) in [
            ("alone", vec![((0, 0), uhd)], vec![fhd], vec![(0, 0)]),
            ("row", vec![((0, 0), uhd), ((3840, 0), fhd)], vec![fhd, fhd], vec![(0, 0), (1920, 0)]),
            (
                "row, the other way round",
                vec![((1920, 0), fhd), ((0, 0), fhd)],
                vec![fhd, uhd],
                vec![(3840, 0), (0, 0)],
            ),
            (
                "column",
                vec![((0, 0), fhd), ((0, 1080), fhd)],
                vec![uhd, fhd],
                vec![(0, 0), (0, 2160)],
            ),
            ("alike", vec![((0, 0), fhd), ((0, 0), fhd)], vec![uhd, uhd], vec![(0, 0), (0, 0)]),
        ] {
            let before: Vec<_> = before.into_iter().map(|(at, size)| Spot { at, size }).collect();
            assert_eq!(joined(&before, &sizes), at, "case {case:?}");
        }
    }
}
