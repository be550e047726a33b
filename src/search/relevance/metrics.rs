//! The figures of one ranking: functions of grades, and of nothing else.
//!
//! A *ranking* is the grade of each hit, best hit first; what nobody judged has the grade 0. What was *judged* are
//! the grades of all products that were judged for the query, in any order. A product is *relevant* when its
//! grade is 1 or more. Where nothing is relevant there is nothing to find, and so no figure.

/// Normalised discounted cumulative gain of the first `depth` hits: 1 is the best order that the judged products
/// allow, 0 has none of them. A hit gains `2^grade − 1`, divided by `log2(1 + rank)`.
pub fn ndcg(ranking: &[u8], judged: &[u8], depth: usize) -> Option<f64> {
    let mut ideal = judged.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let best = gain(&ideal, depth);
    (best > 0.0).then(|| gain(ranking, depth) / best)
}

fn gain(grades: &[u8], depth: usize) -> f64 {
    let gains = grades.iter().take(depth).zip(2_u32..);
    gains.fold(0.0, |sum, (grade, place)| sum + (f64::from(*grade).exp2() - 1.0) / f64::from(place).log2())
}

/// Which part of the relevant products is among the first `depth` hits.
pub fn recall(ranking: &[u8], judged: &[u8], depth: usize) -> Option<f64> {
    let relevant = |grades: &[u8]| grades.iter().filter(|grade| **grade > 0).count() as f64;
    let all = relevant(judged);
    (all > 0.0).then(|| relevant(&ranking[..depth.min(ranking.len())]) / all)
}

/// One divided by the rank of the first relevant hit; 0 when there is none among the hits.
pub fn reciprocal_rank(ranking: &[u8], judged: &[u8]) -> Option<f64> {
    judged.iter().any(|grade| *grade > 0).then(|| {
        let first = ranking.iter().zip(1_u32..).find(|(grade, _)| **grade > 0);
        first.map_or(0.0, |(_, rank)| 1.0 / f64::from(rank))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap();
        assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn gain_is_exponential_and_discounted_by_rank() {
        // By hand: 7/1 + 1/log2(3) + 0 + 3/log2(5) = 7 + 0.630930 + 1.292030 = 8.922959,
        // of at best 7/1 + 7/log2(3) + 3/2 + 1/log2(5) = 7 + 4.416508 + 1.5 + 0.430677 = 13.347185.
        near(ndcg(&[3, 1, 0, 2], &[0, 1, 2, 3, 3], 10), 8.922_959_4 / 13.347_184_9);
        near(ndcg(&[0, 3], &[3], 10), 0.630_929_8);
        near(ndcg(&[3, 2, 1], &[1, 2, 3], 10), 1.0);
    }

    #[test]
    fn depth_cuts_the_ranking_and_the_ideal_alike() {
        near(ndcg(&[0, 0, 3], &[3], 2), 0.0);
        assert!(ndcg(&[], &[3], 10).unwrap().is_sign_positive(), "no sum of nothing shows as -0");
        near(ndcg(&[3, 3], &[3; 40], 2), 1.0);
        // The third of three equals stands at rank 11: (1 + 0.630930) / (1 + 0.630930 + 0.5).
        near(ndcg(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], &[1, 1, 1], 10), 1.630_929_8 / 2.130_929_8);
    }

    #[test]
    fn recall_counts_what_is_relevant() {
        near(recall(&[3, 0, 1], &[3, 2, 1, 1, 0], 100), 0.5);
        near(recall(&[0, 0, 1], &[1], 2), 0.0);
        near(recall(&[], &[1], 100), 0.0);
    }

    #[test]
    fn the_first_relevant_hit_counts() {
        near(reciprocal_rank(&[0, 0, 1, 3], &[3, 1]), 1.0 / 3.0);
        near(reciprocal_rank(&[0, 0], &[1]), 0.0);
        near(reciprocal_rank(&[2], &[2]), 1.0);
    }

    #[test]
    fn where_nothing_is_relevant_there_is_no_figure() {
        assert_eq!(ndcg(&[0], &[0, 0], 10), None);
        assert_eq!(recall(&[], &[], 100), None);
        assert_eq!(reciprocal_rank(&[0], &[0]), None);
    }
}
