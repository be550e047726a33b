//! How texts are read that are not what the catalog says: slips on either side, words that nothing has together, sizes.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use duka_index::{
    Document, Engine, Hits, Lexicon, PriceStep, Query, Settings, SortField, SortKey, SuggestQuery, Synonym,
};
use tempfile::TempDir;

/// Products by name and brand, their ids from 1 in that order.
struct Shop {
    engine: Engine,
    /// Kept while the engine reads it.
    _directory: TempDir,
}

impl Shop {
    fn of<T: AsRef<str>>(products: impl IntoIterator<Item = (T, &'static str)>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let engine = Engine::open(directory.path()).unwrap();
        let mut writer = engine.writer(0).unwrap();
        for (id, (name, brand)) in (1..).zip(products) {
            let prices = vec![PriceStep { from: i64::MIN, effective_price: 100, discount: None }];
            let (name, brand) = (name.as_ref().to_owned(), brand.to_owned());
            let sku = format!("SKU-{id}");
            let document = Document {
                id,
                name,
                brand,
                sku,
                prices,
                is_active: true,
                in_stock: true,
                ..Document::default()
            };
            writer.upsert(&document).unwrap();
        }
        writer.commit("").unwrap();
        Self { engine, _directory: directory }
    }

    fn ask(&self, text: &str) -> Hits {
        let sort = vec![SortKey { field: SortField::Relevance, descending: false }];
        let text = Some(text.to_owned());
        self.engine.search(&Query { text, sort, limit: 500, highlight: true, ..Query::default() }).unwrap()
    }

    /// How a text was read, if not as it was written, and the names that it found.
    fn read(&self, text: &str) -> (Option<String>, Vec<String>) {
        let hits = self.ask(text);
        (hits.corrected_query, hits.hits.into_iter().map(|hit| hit.document.name).collect())
    }

    fn total(&self, text: &str) -> u64 {
        self.ask(text).total
    }

    fn corrected(&self, text: &str) -> Option<String> {
        self.ask(text).corrected_query
    }
}

/// So many of a kind, each of another number.
fn many(count: usize, name: &str, brand: &'static str) -> Vec<(String, &'static str)> {
    (0..count).map(|number| (format!("{name} {}", 1_000 + number), brand)).collect()
}

fn read_as(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_word_that_occurs_is_what_was_meant() {
    let mut products = many(80, "Electric socket", "Kibo");
    products.extend(many(80, "Toner cartridge, the other one", "Kibo"));
    products.extend([
        ("Toy rocket".to_owned(), "Kibo"),
        ("Otter of plush".to_owned(), "Kibo"),
        ("Toner cartrige".to_owned(), "Kibo"),
    ]);
    let shop = Shop::of(products);
    for (text, name) in
        [("rocket", "Toy rocket"), ("otter", "Otter of plush"), ("cartrige", "Toner cartrige")]
    {
        assert_eq!(shop.read(text), (None, vec![name.to_owned()]), "{text}");
    }
    assert_eq!(shop.corrected("rockett"), read_as("rocket"), "what nobody wrote is not");
    assert_eq!(
        shop.total("toner cartrige"),
        1,
        "nor does it change beside others, as long as something has both"
    );
    assert_eq!(shop.total("toner cartridge"), 80);
}

#[test]
fn a_rare_word_is_read_as_another_where_nothing_has_all_words() {
    let slips = |slips: usize, right: usize| {
        let mut products = many(right, "Vanilla pod", "Kibo");
        products.extend(many(slips, "Vanila wafer", "Kibo"));
        Shop::of(products).read("vanila pod")
    };
    let (read, names) = slips(1, 50);
    assert_eq!((read, names.len()), (read_as("vanilla pod"), 50));
    assert_eq!(slips(1, 49).0, read_as("vanila"), "in a small catalog every word is rare");
    assert_eq!(slips(2, 79).0, read_as("vanila"), "less than forty times as many");
    assert_eq!(slips(2, 80).0, read_as("vanilla pod"));
    assert_eq!(slips(6, 400).0, read_as("vanila"), "no slip any more, and what says least is left out");

    let mut products = many(130, "Kettle of iron", "Philips");
    let rare = [("Iron", "Philip"), ("Wok", "Philip"), ("Wok ironn", "Kibo"), ("Bowl of clay", "Kibo")];
    products.extend(rare.map(|(name, brand)| (name.to_owned(), brand)));
    let shop = Shop::of(products);
    assert_eq!(shop.corrected("philip 1001"), read_as("philip"), "a maker is called as it is");
    assert_eq!(shop.corrected("ironn kettle"), read_as("iron kettle"));
    assert_eq!(shop.corrected("ironn ketle"), read_as("iron kettle"), "beside what nobody wrote, too");
    assert_eq!(shop.corrected("ironn bowl"), read_as("ironn"), "nor is anything an iron bowl");
    assert_eq!(shop.corrected("ironn zebra"), read_as("ironn"), "nor is there a zebra");
    assert_eq!(shop.total("\"ironn\" kettle"), 0, "what is in quotation marks is meant");
    assert_eq!(shop.corrected("SKU-1"), None);
}

#[test]
fn what_is_left_out_says_least() {
    let products = [
        ("Perfume for men", "Kibo"),
        ("Phone case", "Kibo"),
        ("Cellar lamp", "Kibo"),
        ("Needles no 3", "Mawenzi"),
        ("Hair oil", "Mawenzi"),
        ("Printer", "Brother"),
        ("Charger tn 2010", "Mawenzi"),
        ("Serum c", "Kibo"),
        ("Serum of rosehip", "Kibo"),
    ];
    let shop = Shop::of(products);
    assert_eq!(shop.corrected("tom forr"), None, "no stop word");
    assert_eq!(shop.corrected("cellular phone"), read_as("phone"), "what was typed, not what was guessed");
    assert_eq!(
        shop.corrected("oil no 3"),
        read_as("oil"),
        "a word, not what is rarer but says nothing alone"
    );
    assert_eq!(shop.corrected("brother tn-2010"), read_as("brother"), "no other maker's number");
    assert_eq!(shop.read("zebra c"), (None, vec![]), "one sign alone says nothing");
    assert_eq!(shop.corrected("serum than rosehip"), None, "than holds a sentence together");
}

#[test]
fn corrections_are_as_near_as_stated() {
    let products = [
        ("Cream for babies", "Kibo"),
        ("Red barbecue", "Kibo"),
        ("Chlorophyll gel", "Kibo"),
        ("Red showstopper", "Kibo"),
        ("Headphones", "Kibo"),
    ];
    let shop = Shop::of(products);
    assert_eq!(shop.read("barbie"), (None, vec![]));
    assert_eq!(shop.read("colorpop"), (None, vec![]));
    assert_eq!(shop.corrected("red shoes"), read_as("red"));
    for typed in ["hedpho", "haedpho", "hexdphon", "headhpo"] {
        assert_eq!(shop.corrected(typed), read_as("headphones"), "{typed}");
    }
    assert_eq!(shop.read("headxx"), (None, vec![]), "two edits of what is only begun");
    assert_eq!(shop.read("hedph"), (None, vec![]), "too short to tell");
}

#[test]
fn what_is_also_one_word_is_worth_its_own_rarity() {
    let mut products = many(120, "PS 2 cable with 4 plugs, type", "Kibo");
    products.push(("Game of the whole family, a long name, PS4".to_owned(), "Kibo"));
    products.push(("Game of the whole family, a long name, PS 4".to_owned(), "Kibo"));
    let shop = Shop::of(products);
    for text in ["PS 4", "ps-4"] {
        let (_, names) = shop.read(text);
        assert!(names.len() == 122 && names[..2].iter().all(|name| name.contains("Game")), "{names:?}");
    }
}

#[test]
fn a_size_is_the_same_however_it_is_written() {
    let shop = Shop::of([
        ("TV 32\" black", "Kibo"),
        ("TV 40\"", "Kibo"),
        ("Ruler, 32 inch", "Kibo"),
        ("Frame of 32-inch", "Kibo"),
        ("Saw 32in", "Kibo"),
        ("Radio 32 W", "Kibo"),
        ("Shelf 321", "Kibo"),
        ("Inch nails", "Kibo"),
        ("Laptop 15.6\"", "Kibo"),
        ("Laptop 15 with 6 GB", "Kibo"),
        ("Case 3 in 1, of 12", "Kibo"),
    ]);
    for text in ["32\"", "32 inch", "32in", "32-inch", "32 Inches", "32″", "32 in"] {
        let (read, mut names) = shop.read(text);
        names.sort_unstable();
        let expected =
            ["Frame of 32-inch", "Ruler, 32 inch", "Saw 32in", "TV 32\" black"].map(str::to_owned).to_vec();
        assert_eq!((read, names), (None, expected), "{text}");
    }
    for text in ["32 inch tv", "32-inch tv", "tv 32 inches", "32 in tv", "32in tv", "32\" tv"] {
        assert_eq!(shop.read(text), (None, vec!["TV 32\" black".to_owned()]), "{text}");
    }
    assert_eq!(shop.read("32 inch radio").1, ["Radio 32 W"], "beside something else the number will do");
    assert_eq!(shop.read("15.6\"").1, ["Laptop 15.6\""]);
    assert_eq!(shop.read("15,6 inch laptop").1, ["Laptop 15.6\""]);
    assert_eq!(shop.read("inch nails").1, ["Inch nails"], "behind no number");
    assert_eq!(shop.read("3 in 1").1, ["Case 3 in 1, of 12"]);
    assert_eq!(shop.read("321\""), (read_as("321"), vec!["Shelf 321".to_owned()]), "nothing is so large");
    let hits = shop.ask("40 inch").hits;
    assert_eq!(hits[0].highlights.as_ref().unwrap().name, std::iter::once(3..5).collect::<Vec<_>>());
}

#[test]
fn signs_that_make_another_word_count() {
    let shop = Shop::of([
        ("Programming in C++", "Kibo"),
        ("Programming in C#", "Kibo"),
        ("Programming in C", "Kibo"),
        ("Phone", "AT&T"),
        ("T-shirt to wear at home", "Kibo"),
        ("Attachment", "Kibo"),
        ("Perl in a nutshell", "O'Reilly"),
        ("Perl in a shell", "OReilly"),
    ]);
    let names = |text: &str| shop.read(text).1;
    assert_eq!(names("c++"), ["Programming in C++"]);
    assert_eq!(names("programming C#"), ["Programming in C#"]);
    assert_eq!(names("c programming"), ["Programming in C"]);
    assert_eq!(names("programming \"c\""), ["Programming in C"]);
    assert_eq!(names("AT&T"), ["Phone"]);
    assert_eq!(names("at&t phone"), ["Phone"]);
    assert_eq!(names("att phone"), ["Phone"]);
    for text in ["O'Reilly perl", "OReilly perl", "o reilly perl", "o’reilly perl"] {
        assert_eq!(shop.total(text), 2, "{text}");
        assert_eq!(shop.corrected(text), None, "{text}");
    }
}

#[test]
fn a_code_is_found_by_its_beginning() {
    let shop = Shop::of(many(12, "Kettle", "Kibo"));
    let found = shop.ask("SK-U1");
    assert_eq!((found.corrected_query, found.total), (None, 4), "it, and three that begin so");
    assert_eq!(found.hits[0].document.sku, "SKU-1", "the whole one first");
    assert_eq!(shop.total("SK-U12"), 1);
}

#[test]
fn a_slip_in_a_word_that_has_synonyms_finds_what_they_find() {
    let shop = Shop::of([("Running trainers", "Kibo"), ("PS4 console", "Kibo"), ("Sneeze guard", "Kibo")]);
    let synonyms = vec![
        Synonym::OneWay { from: "sneakers".to_owned(), to: vec!["trainers".to_owned()] },
        Synonym::TwoWay { phrases: vec!["playstation 4".to_owned(), "ps4".to_owned()] },
    ];
    let lexicon = Lexicon::new(&Settings { synonyms, ..Settings::default() }).unwrap();
    let read = |text: &str| {
        let query = Query { text: Some(text.to_owned()), limit: 9, ..Query::default() };
        let hits = shop.engine.reader().search(&query, &lexicon).unwrap();
        (hits.corrected_query, hits.hits.into_iter().map(|hit| hit.document.name).collect::<Vec<_>>())
    };
    assert_eq!(read("sneakers"), (None, vec!["Running trainers".to_owned()]));
    assert_eq!(read("sneakrs"), (read_as("sneakers"), vec!["Running trainers".to_owned()]));
    assert_eq!(read("runnin snaekers"), (read_as("running sneakers"), vec!["Running trainers".to_owned()]));
    assert_eq!(read("playstaton 4"), (read_as("playstation 4"), vec!["PS4 console".to_owned()]));
    assert_eq!(shop.read("sneakrs"), (None, vec![]), "nobody sells them, or says what they are");
}

#[test]
fn what_was_read_is_read_so_again() {
    let products = [
        ("Sat receiver", "Kibo"),
        ("Satin pillow", "Kibo"),
        ("USB-C cable", "Kibo"),
        ("USB Cat toy", "Kibo"),
        ("Red kettle", "Kibo"),
        ("Redwood table", "Kibo"),
    ];
    let shop = Shop::of(products);
    for (typed, read, total) in [
        ("sat nav", "sat", 2),
        ("cabel usb-c", "cable usb-c", 1),
        ("usb-c zebra", "usb-c", 1),
        ("usb c zebra", "usb c", 2),
        ("red zebra -wood", "red -wood", 1),
        ("-wood red zebra", "-wood red", 2),
        ("red zebra -kettle", "red -kettle", 0),
        ("zebra teapot \"red kettle\"", "", 0),
    ] {
        let found = shop.ask(typed);
        let read = (total > 0).then(|| read.to_owned());
        assert_eq!((&found.corrected_query, found.total), (&read, total), "{typed}");
        if let Some(read) = read {
            let again = shop.ask(&read);
            assert_eq!((again.corrected_query, again.total), (None, total), "{read}");
        }
    }
    assert_eq!(shop.read("sat nav").1, ["Sat receiver", "Satin pillow"], "the whole word first");
}

#[test]
fn what_begins_as_typed_is_suggested_first() {
    let mut products = many(60, "Wireless mouse", "Samsung");
    products.extend(many(3, "Cable for Samsung", "Kibo"));
    products.extend([
        ("Lens SAM52 of SAM quality".to_owned(), "Kibo"),
        ("Samsun towel".to_owned(), "Kibo"),
        ("Sampler of teas".to_owned(), "Kibo"),
        ("Mouses".to_owned(), "Kibo"),
    ]);
    let shop = Shop::of(products);
    let suggest = |text: &str| {
        let query = SuggestQuery { text: text.to_owned(), limit: 5 };
        shop.engine.reader().suggest(&query, &Lexicon::default()).unwrap()
    };
    let names = |text: &str| -> Vec<String> {
        suggest(text).products.into_iter().map(|product| product.name).collect()
    };
    let sam = suggest("sam");
    let mut first = names("sam")[..2].to_vec();
    first.sort_unstable();
    assert_eq!(first, ["Sampler of teas", "Samsun towel"], "{:?}", sam.products);
    assert_eq!(names("samsu")[1], "Cable for Samsung 1000", "a name before a maker");
    assert_eq!(sam.queries, ["samsung"], "a maker's name; no code, no slip");
    assert_eq!(suggest("sam5").queries, ["sam52"], "what has a digit is completed to what has one");
    assert_eq!(suggest("wireless m").queries, ["wireless mouse"], "by what is wireless");
    assert!(suggest("tow").queries.contains(&"towel".to_owned()), "rare, but nothing is commoner");
}
