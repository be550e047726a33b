//! The price that everybody sees: one function for the search document, the detail, the cart and the order.

/// What a price is made from: one variant's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The variant's price, in hundredths.
    pub price: i64,
    /// Pieces that nobody holds.
    pub stock: i64,
}

/// The lowest price over the variants in stock; over all of them when none is; `None` without variants.
pub fn effective(offers: impl IntoIterator<Item = Offer> + Clone) -> Option<i64> {
    let in_stock = offers.clone().into_iter().filter(|offer| offer.stock > 0).map(|offer| offer.price).min();
    in_stock.or_else(|| offers.into_iter().map(|offer| offer.price).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sold_out_does_not_set_the_price() {
        let offer = |price, stock| Offer { price, stock };
        assert_eq!(effective([offer(500, 0), offer(700, 2), offer(900, 1)]), Some(700));
        assert_eq!(effective([offer(500, 0), offer(300, 0)]), Some(300));
        assert_eq!(effective([]), None);
    }
}
