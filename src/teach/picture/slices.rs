//! Cuts a picture that is longer than a printed page into slices, between its texts.

use super::number::Px;

/// Maximum heights of the first slice, which is below the caption, and of each other one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SliceLimits {
    pub first: f64,
    pub other: f64,
}

/// A slice of a picture: its top and its height in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slice {
    pub top: Px,
    pub height: Px,
}

/// Minimum height of a slice, as a share of its maximum.
const MIN_SHARE: f64 = 0.6;

/// Cuts a picture of this height. `texts` has the top and the bottom of each text. A cut goes through as few texts as
/// possible.
pub(super) fn slices(height: f64, texts: &[(f64, f64)], limits: SliceLimits) -> Vec<Slice> {
    let (mut top, mut limit, mut slices) = (0.0, limits.first, Vec::new());
    while height - top > limit {
        let end = cut(top + MIN_SHARE * limit, top + limit, texts);
        slices.push(Slice { top: Px(top), height: Px(end - top) });
        (top, limit) = (end, limits.other);
    }
    slices.push(Slice { top: Px(top), height: Px(height - top) });
    slices
}

/// Returns the lowest place between these two that cuts as few texts as possible.
fn cut(highest: f64, lowest: f64, texts: &[(f64, f64)]) -> f64 {
    let is_possible = |y: &f64| (highest..=lowest).contains(y);
    let tops = texts.iter().map(|(top, _)| *top).filter(is_possible);
    let cut_texts = |y: f64| texts.iter().filter(|(top, bottom)| *top < y && y < *bottom).count();
    let best = |one: f64, other: f64| {
        let is_better = (cut_texts(other), one) < (cut_texts(one), other);
        if is_better { other } else { one }
    };
    tops.fold(lowest, best)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SliceLimits = SliceLimits { first: 100.0, other: 200.0 };

    fn heights(height: f64, texts: &[(f64, f64)]) -> Vec<f64> {
        let slices = slices(height, texts, LIMITS);
        let ends = slices.iter().map(|it| it.top.0 + it.height.0);
        let tops = slices.iter().map(|it| it.top.0).skip(1).chain([height]);
        assert!(slices[0].top.0 == 0.0 && ends.eq(tops), "{slices:?}");
        slices.iter().map(|it| it.height.0).collect()
    }

    #[test]
    fn a_picture_that_fits_is_one_slice() {
        assert_eq!(heights(100.0, &[]), [100.0]);
    }

    #[test]
    fn a_cut_is_as_low_as_possible_and_above_a_text_that_it_would_cut() {
        assert_eq!(heights(350.0, &[]), [100.0, 200.0, 50.0]);
        assert_eq!(heights(250.0, &[(90.0, 110.0), (70.0, 80.0)]), [90.0, 160.0]);
        assert_eq!(heights(250.0, &[(90.0, 110.0), (80.0, 95.0)]), [80.0, 170.0]);
    }

    #[test]
    fn a_dense_picture_is_cut_through_the_fewest_texts_and_no_slice_is_short() {
        let dense = [(50.0, 110.0), (50.0, 95.0), (94.0, 110.0), (70.0, 120.0)];
        assert_eq!(heights(250.0, &dense), [70.0, 180.0]);
        assert_eq!(heights(250.0, &[(10.0, 200.0)]), [100.0, 150.0]);
    }
}
