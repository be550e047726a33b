//! A segment as queries see it: plain columns in memory.
//!
//! tantivy keeps its columns packed on disk; a scan through its accessors costs ten times one over a plain
//! slice. So each segment is unpacked once, when it becomes visible, and its [`SegmentView`] serves every later
//! generation that still holds the segment. Beside its values, a key that is sorted by has its documents in order,
//! both ways, and a value that is filtered by has its documents in a list: about a hundred and fifty bytes a document
//! in all. Segments never change but for deletions, which are [`generation`](crate::generation)'s business.

use std::{
    borrow::Cow,
    fmt::{self, Debug},
    hash::{BuildHasher as _, RandomState},
    ops::Range,
    sync::{Arc, LazyLock, OnceLock},
};

use tantivy::{
    SegmentReader,
    columnar::{BytesColumn, Column, DynamicColumn, HasAssociatedColumnType},
    f64_to_u64, i64_to_u64,
    index::InvertedIndexReader,
    schema::Field,
};

use crate::{
    best::Bests,
    bits::Bits,
    category::Categories,
    error::Error,
    groups::Groups,
    known::Held,
    lookup::LookedUp,
    permutation::Permutation,
    price::{PriceColumn, Prices, Step},
    rank,
    schema::{Lengths, column},
    sheet::{Scales, Sheets},
    typo::Slips,
    vocabulary::Vocabulary,
    words::{Sets, Weighed},
};

static WORDINGS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Stands for "no vendor": below every id that a database hands out.
pub(crate) const NO_VENDOR: i64 = i64::MIN;

/// Stands for "no rating": below every rating, so that no filter accepts it.
pub(crate) const UNRATED: f64 = f64::NEG_INFINITY;

/// The best rating there is.
const BEST: u8 = 5;

/// The columns of a segment, each indexed by document number.
#[derive(Debug)]
pub(crate) struct SegmentView {
    pub(crate) ids: Vec<i64>,
    /// By which one version of a document is told from another.
    pub(crate) prints: Vec<u64>,
    /// Of its id, who sees it and which words it is found by; see [`Self::wording`].
    wordings: Vec<u64>,
    pub(crate) active: Bits,
    pub(crate) in_stock: Bits,
    /// [`NO_VENDOR`] for none.
    pub(crate) vendors: Vec<i64>,
    pub(crate) dates: Vec<i64>,
    /// [`UNRATED`] for none.
    pub(crate) ratings: Vec<f64>,
    /// By how much they are rated at least, from 0 to [`BEST`]: what is filtered and counted by.
    rated: Vec<Bits>,
    pub(crate) popularity: Vec<i64>,
    /// What a text match is multiplied with; see [`rank::prior`].
    pub(crate) priors: Vec<f32>,
    pub(crate) lengths: Vec<Lengths>,
    /// Collation keys.
    pub(crate) names: Values,
    pub(crate) name_ords: Vec<u32>,
    pub(crate) brands: Values,
    /// Those of a brand by name.
    pub(crate) by_brand: Groups,
    pub(crate) categories: Categories,
    prices: Prices,
    /// Where its documents' scores are added up.
    pub(crate) sheets: Arc<Sheets>,
    pub(crate) scales: Scales,
    /// What words that were asked for come to here.
    pub(crate) weighed: Weighed,
    pub(crate) sets: Sets,
    /// Of the words that were asked for alone, what scores most.
    pub(crate) bests: Bests,
    /// Where forms of words are.
    pub(crate) looked_up: LookedUp,
    /// And those of whole words.
    pub(crate) held: Held,
    /// All words there are, where they are few.
    pub(crate) listed: OnceLock<Option<Vocabulary>>,
    pub(crate) indexes: Indexes,
    /// What is near to words that nobody wrote.
    pub(crate) slips: Slips,
    pub(crate) by_id: Vec<u32>,
    pub(crate) by_name: Permutation,
    pub(crate) by_date: Permutation,
    pub(crate) by_rating: Permutation,
    pub(crate) by_popularity: Permutation,
}

/// The inverted indexes of a segment by field, opened once: tantivy opens those of each generation anew.
pub(crate) struct Indexes(Vec<OnceLock<Arc<InvertedIndexReader>>>);

impl Indexes {
    fn new(reader: &SegmentReader) -> Self {
        Self(reader.schema().fields().map(|_| OnceLock::new()).collect())
    }

    /// That of a field, once it was opened.
    pub(crate) fn get(&self, field: Field) -> Option<Arc<InvertedIndexReader>> {
        self.0.get(field.field_id() as usize)?.get().map(Arc::clone)
    }

    /// Keeps it open.
    pub(crate) fn keep(&self, field: Field, index: &Arc<InvertedIndexReader>) {
        if let Some(place) = self.0.get(field.field_id() as usize) {
            place.get_or_init(|| Arc::clone(index));
        }
    }
}

impl Debug for Indexes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Indexes").field("fields", &self.0.len()).finish_non_exhaustive()
    }
}

impl SegmentView {
    /// Unpacks the columns of a segment, deleted documents included.
    pub(crate) fn load(reader: &SegmentReader) -> Result<Self, Error> {
        let ids: Vec<i64> = numbers(reader, column::ID, 0)?;
        let mut by_id: Vec<u32> = (0..reader.max_doc()).collect();
        by_id.sort_by_key(|&doc| ids[doc as usize]);
        let active: Vec<bool> = numbers(reader, column::ACTIVE, false)?;
        let wordings: Vec<u64> = numbers(reader, column::WORDING, 0)?;
        let wordings = ids.iter().zip(wordings).zip(&active);
        let wordings = wordings.map(|((id, wording), active)| WORDINGS.hash_one((id, wording, active)));
        let wordings = wordings.collect();
        let in_stock: Vec<bool> = numbers(reader, column::IN_STOCK, false)?;
        let dates: Vec<i64> = numbers(reader, column::DATE_ADDED, 0)?;
        let ratings: Vec<f64> = numbers(reader, column::RATING, UNRATED)?;
        let popularity: Vec<i64> = numbers(reader, column::POPULARITY, 0)?;
        let priors =
            popularity.iter().zip(&in_stock).map(|(&wanted, &stock)| rank::prior(wanted, stock)).collect();
        let columns = reader.fast_fields();
        let (names, name_ords) = Values::load(reader, columns.bytes(column::NAME_KEY)?)?;
        let (brands, brand_ords) = Values::load(reader, columns.str(column::BRAND)?.map(Into::into))?;
        let (chains, chain_ords) = Values::load(reader, columns.str(column::CATEGORY)?.map(Into::into))?;
        let rated = |rating: f64| (rating > UNRATED).then(|| f64_to_u64(rating));
        let sorted =
            |numbers: &[i64]| Permutation::new(&by_id, |doc| Some(i64_to_u64(numbers[doc as usize])));
        let by_name = Permutation::new(&by_id, |doc| Some(u64::from(name_ords[doc as usize])));
        Ok(Self {
            prints: numbers(reader, column::PRINT, 0)?,
            wordings,
            active: Bits::of(&active, |active| active),
            in_stock: Bits::of(&in_stock, |stock| stock),
            vendors: numbers(reader, column::VENDOR, NO_VENDOR)?,
            priors,
            lengths: numbers(reader, column::LENGTHS, 0)?.into_iter().map(Lengths).collect(),
            by_brand: Groups::new(brand_ords, brands.len(), by_name.ascending.iter().copied()),
            brands,
            categories: Categories::new(&chains, chain_ords)?,
            prices: prices(reader, sorted)?,
            sheets: Sheets::new(reader.max_doc()),
            scales: Scales::default(),
            weighed: Weighed::new(reader.max_doc()),
            sets: Sets::new(reader.max_doc()),
            bests: Bests::default(),
            looked_up: LookedUp::default(),
            held: Held::new(reader.max_doc()),
            listed: OnceLock::new(),
            indexes: Indexes::new(reader),
            slips: Slips::default(),
            by_name,
            by_date: sorted(&dates),
            rated: (0..=BEST).map(|least| rated_at_least(&ratings, least)).collect(),
            by_rating: Permutation::new(&by_id, |doc| rated(ratings[doc as usize])),
            by_popularity: sorted(&popularity),
            by_id,
            ids,
            dates,
            ratings,
            popularity,
            names,
            name_ords,
        })
    }

    /// Of some documents, which they are, who sees them and by which words they are found: equal for equal ones, and the
    /// sums of parts add up, wrapping, to that of the whole. By a key of this process, so that nobody finds documents whose
    /// sum is that of others.
    pub(crate) fn wording(&self, docs: &Bits) -> u64 {
        let mut sum = 0_u64;
        docs.for_each(|doc| sum = sum.wrapping_add(self.wordings[doc as usize]));
        sum
    }

    /// The documents that are rated at least so.
    pub(crate) fn rated_at_least(&self, least: u8) -> Cow<'_, Bits> {
        let kept = self.rated.get(usize::from(least)).map(Cow::Borrowed);
        kept.unwrap_or_else(|| Cow::Owned(rated_at_least(&self.ratings, least)))
    }

    /// The prices that hold at an instant, in microseconds since the epoch.
    pub(crate) fn prices_at(&self, at: i64) -> Arc<PriceColumn> {
        self.prices.at(at, &self.ids)
    }

    /// The prices that hold at an instant, where they need not be computed.
    pub(crate) fn kept_prices_at(&self, at: i64) -> Option<Arc<PriceColumn>> {
        self.prices.kept_at(at)
    }

    /// The last instant up to `at` at which a price changed.
    pub(crate) fn last_price_change(&self, at: i64) -> Option<i64> {
        self.prices.last_change(at)
    }

    /// All words there are, where they are listed.
    pub(crate) fn vocabulary(&self) -> Option<&Vocabulary> {
        self.listed.get()?.as_ref()
    }

    /// How many documents, deleted ones included.
    pub(crate) fn documents(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }
}

fn rated_at_least(ratings: &[f64], least: u8) -> Bits {
    Bits::of(ratings, |rating| rating >= f64::from(least))
}

/// The byte strings of a column: each distinct one once, in order. A document's is known by its ordinal.
#[derive(Debug)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    /// Where in `bytes` each value ends.
    ends: Vec<usize>,
}

impl Values {
    /// The values, and by document the ordinal of its own; the number of values where there is none.
    fn load(reader: &SegmentReader, packed: Option<BytesColumn>) -> Result<(Self, Vec<u32>), Error> {
        let documents = reader.max_doc();
        let Some(packed) = packed else {
            return Ok((Self { bytes: Vec::new(), ends: Vec::new() }, vec![0; documents as usize]));
        };
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(packed.num_terms());
        let mut values = packed.dictionary().stream()?;
        while values.advance() {
            bytes.extend_from_slice(values.key());
            ends.push(bytes.len());
        }
        let ords = unpack(packed.ords(), documents, ends.len() as u64);
        let ords = ords.into_iter().map(|ord| u32::try_from(ord).unwrap_or(u32::MAX)).collect();
        Ok((Self { bytes, ends }, ords))
    }

    /// How many distinct values: one more than the largest ordinal, and the ordinal of "none".
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The value of an ordinal; empty for "none".
    pub(crate) fn get(&self, ord: u32) -> &[u8] {
        &self.bytes[self.range(ord as usize)]
    }

    fn range(&self, ord: usize) -> Range<usize> {
        let start = ord.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let start = start.unwrap_or(if ord == 0 { 0 } else { self.bytes.len() });
        start..self.ends.get(ord).copied().unwrap_or(self.bytes.len())
    }

    /// The ordinal of a value.
    pub(crate) fn find(&self, value: &[u8]) -> Option<u32> {
        let (ord, found) = self.locate(value);
        found.then_some(ord)
    }

    /// The ordinal of the first value that is not smaller, and whether it is the value.
    pub(crate) fn locate(&self, value: &[u8]) -> (u32, bool) {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.bytes[self.range(middle)] < *value {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = low < self.len() && self.bytes[self.range(low)] == *value;
        (u32::try_from(low).unwrap_or(u32::MAX), found)
    }
}

/// A column of one value a document.
fn numbers<T>(reader: &SegmentReader, name: &str, missing: T) -> Result<Vec<T>, Error>
where
    T: HasAssociatedColumnType + PartialOrd + Debug + Copy + Send + Sync + 'static,
    DynamicColumn: Into<Option<Column<T>>>,
{
    let documents = reader.max_doc();
    Ok(match reader.fast_fields().column_opt::<T>(name)? {
        Some(column) => unpack(&column, documents, missing),
        None => vec![missing; documents as usize],
    })
}

fn unpack<T>(column: &Column<T>, documents: u32, missing: T) -> Vec<T>
where
    T: PartialOrd + Debug + Copy + Send + Sync + 'static,
{
    if column.get_cardinality().is_full() {
        let mut values = vec![missing; documents as usize];
        column.values.get_range(0, &mut values);
        return values;
    }
    (0..documents).map(|doc| column.first(doc).unwrap_or(missing)).collect()
}

fn prices(reader: &SegmentReader, sorted: impl Fn(&[i64]) -> Permutation) -> Result<Prices, Error> {
    let base = numbers(reader, column::PRICE, 0)?;
    let sale = Bits::of(&numbers(reader, column::SALE, false)?, |sale| sale);
    let columns = reader.fast_fields();
    let mut steps = Vec::new();
    if let (Some(from), Some(price), Some(sale)) = (
        columns.column_opt::<i64>(column::STEP_FROM)?,
        columns.column_opt::<i64>(column::STEP_PRICE)?,
        columns.column_opt::<bool>(column::STEP_SALE)?,
    ) {
        for doc in 0..reader.max_doc() {
            let values =
                from.values_for_doc(doc).zip(price.values_for_doc(doc)).zip(sale.values_for_doc(doc));
            steps.extend(values.map(|((from, price), sale)| Step { doc, from, price, sale }));
        }
    }
    let order = sorted(&base);
    Ok(Prices::new(base, sale, order, steps))
}
