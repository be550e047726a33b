//! What discounts make of prices: at each instant, for everybody, and after every change.

use super::*;

#[tokio::test]
async fn at_its_microsecond_a_price_changes_for_everybody() {
    with_present(Settings::default(), async |shop, present| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (reduced, variant) = shelve(shop, &admin, category, "A", "100.00").await;
        let (other, _) = shelve(shop, &admin, category, "B", "90.00").await;
        let (start, end) = (present + HOUR + 123_456, present + 2 * HOUR + 654_321);
        let window = json!({"start_date": written(start), "end_date": written(end)});
        let body = with(automatic("SALE", "25", &[reduced]), window);
        let made = shop.post_as(&admin, "/api/discount/", body).await.expect(201);
        shop.indexed(&made).await;
        let entries = "select count(*) from change_log";
        let before: i64 = sqlx::query_scalar(entries).fetch_one(&shop.db).await.unwrap();
        let (path, mut tags) = (format!("/api/product/{reduced}/"), BTreeMap::new());

        for (at, on) in [
            (present, false),
            (start - 1, false),
            (start, true),
            (start + 1, true),
            (end - 1, true),
            (end, false),
            (end + 1, false),
            (start, true),
            (present, false),
        ] {
            shop.shop.app.clock.set(at);
            let price = if on { "75.00" } else { "100.00" };
            let (cheapest, dearest) = if on { (reduced, other) } else { (other, reduced) };

            let found = shop.get("/api/product/?sort=price&facets=price").await.expect(200);
            assert_eq!(ids(&found), [cheapest, dearest], "{at}");
            let facet = &found.json["facets"]["price"];
            let bounds = if on { ("75.00", "90.00") } else { ("90.00", "100.00") };
            assert_eq!((facet["min"].as_str(), facet["max"].as_str()), (Some(bounds.0), Some(bounds.1)));
            assert_eq!(ids(&shop.get("/api/product/?sort=-price").await), [dearest, cheapest]);
            let under = shop.get("/api/product/?price_max=75.00").await.expect(200);
            assert_eq!(ids(&under), if on { vec![reduced] } else { vec![] }, "{at}");
            assert_eq!(ids(&shop.get("/api/product/?price_min=75.01&price_max=95").await), [other]);
            let sale = shop.get("/api/product/?on_sale=true").await.expect(200);
            assert_eq!(ids(&sale), if on { vec![reduced] } else { vec![] }, "{at}");

            let list = found.json["results"].as_array().unwrap();
            let listed = list.iter().find(|one| one["id"] == reduced).unwrap();
            let discount = json!({
                "id": made.id(), "code": "SALE", "discount_type": "percentage", "discount_value": "25.00",
                "end_date": written(end),
            });
            let discount = if on { discount } else { Value::Null };
            assert_eq!((&listed["effective_price"], &listed["discount"]), (&json!(price), &discount), "{at}");
            assert_eq!(listed["price"], "100.00");

            let detail = shop.get(&path).await.expect(200);
            tags.entry(on).or_insert_with(BTreeSet::new).insert(detail.header("etag").to_owned());
            assert_eq!(detail.json["variants"][0]["effective_price"], price, "{at}");
            for (name, value) in listed.as_object().unwrap() {
                assert_eq!(&detail.json[name], value, "{name} at {at}");
            }
            let one = shop.get(&format!("/api/variant/{variant}/")).await.expect(200);
            assert_eq!((&one.json["effective_price"], &one.json["price"]), (&json!(price), &json!("100.00")));
            let listed = shop.get(&format!("/api/variant/?product_id={reduced}")).await.expect(200);
            assert_eq!(listed.json["results"][0], one.json);
        }
        assert!(tags[&true].is_disjoint(&tags[&false]), "another price is another representation");
        let after: i64 = sqlx::query_scalar(entries).fetch_one(&shop.db).await.unwrap();
        assert_eq!(after, before, "nothing was written for it");
        verified(shop).await;
    })
    .await;
}

/// Another way to say what is paid: [`Rule`]s over what the test itself has written.
struct Rule {
    id: i64,
    percent: Option<i64>,
    amount: i64,
    minimum: i64,
    maximum: i64,
    window: (i64, i64),
    products: Vec<i64>,
}

impl Rule {
    fn price(&self, product: i64, price: i64, at: i64) -> i64 {
        let open = self.window.0 <= at && at < self.window.1;
        if !open || !self.products.contains(&product) || price < self.minimum {
            return price;
        }
        let off = self.percent.map_or(self.amount, |percent| (price * percent + 50) / 100);
        (price - off.min(self.maximum)).max(0)
    }
}

#[tokio::test]
async fn random_discounts_agree_at_every_boundary() {
    with_present(Settings::default(), async |shop, present| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let dice = &mut StdRng::seed_from_u64(11);
        let mut products: BTreeMap<i64, Vec<(i64, bool)>> = BTreeMap::new();
        for number in 0..12 {
            let variants: Vec<(i64, bool)> = (0..dice.random_range(1..4))
                .map(|_| (dice.random_range(1..2_000), dice.random_bool(0.6)))
                .collect();
            let bodies: Vec<Value> = (0..)
                .zip(&variants)
                .map(|(place, (price, stocked))| {
                    json!({
                        "variant_name": format!("V{place}"), "sku": format!("P{number}-{place}"),
                        "price": format!("{}.{:02}", price / 100, price % 100), "stock": i32::from(*stocked),
                    })
                })
                .collect();
            let body = json!({"category_id": category, "name": format!("P{number}"), "price": "1.00",
                              "sku": format!("P{number}"), "variants": bodies});
            let made = shop.post_as(&admin, "/api/product/", body).await.expect(201);
            products.insert(made.id(), variants);
        }
        let all: Vec<i64> = products.keys().copied().collect();
        let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let mut rules = Vec::new();
        for number in 0..9_i64 {
            let percent = dice.random_bool(0.5).then(|| dice.random_range(1..=100));
            let amount = dice.random_range(1..800);
            let minimum = if dice.random_bool(0.3) { dice.random_range(0..1_500) } else { 0 };
            let maximum = if dice.random_bool(0.3) { dice.random_range(1..400) } else { i64::MAX };
            let start = present + dice.random_range(1..5) * HOUR;
            let end = if dice.random_bool(0.8) { start + dice.random_range(1..4) * HOUR } else { i64::MAX };
            let count = dice.random_range(1..all.len());
            let linked: Vec<i64> = all.sample(dice, count).copied().collect();
            // Every third does nothing: inactive, or a code.
            let (active, activation) =
                [(true, "automatic"), (true, "automatic"), (false, "automatic"), (true, "code")]
                    [usize::try_from(number).unwrap() % 4];
            let body = json!({
                "code": format!("D{number}"), "is_active": active, "activation": activation,
                "discount_type": if percent.is_some() { "percentage" } else { "fixed" },
                "discount_value": percent.map_or_else(|| money(amount), |percent| percent.to_string()),
                "minimum_purchase": money(minimum), "start_date": written(start),
                "maximum_discount": (maximum < i64::MAX).then(|| money(maximum)),
                "end_date": (end < i64::MAX).then(|| written(end)), "product_ids": linked,
            });
            let made = shop.post_as(&admin, "/api/discount/", body).await.expect(201);
            if active && activation == "automatic" {
                let window = (start, end);
                rules.push(Rule {
                    id: made.id(),
                    percent,
                    amount,
                    minimum,
                    maximum,
                    window,
                    products: linked,
                });
            }
        }
        shop.settled().await;

        let bounds: BTreeSet<i64> = rules.iter().flat_map(|rule| [rule.window.0, rule.window.1]).collect();
        let bounds = bounds.into_iter().filter(|bound| *bound < i64::MAX);
        let mut sales = 0;
        for at in bounds.flat_map(|bound| [bound - 1, bound, bound + 1]) {
            shop.shop.app.clock.set(at);
            let paid =
                |product: i64, price: i64| rules.iter().map(|r| r.price(product, price, at)).min().unwrap();
            let expected: BTreeMap<i64, i64> = products
                .iter()
                .map(|(id, variants)| {
                    let stocked = variants.iter().any(|(_, stocked)| *stocked);
                    let counted = variants.iter().filter(|(_, has)| *has || !stocked);
                    (*id, counted.map(|(price, _)| paid(*id, *price)).min().unwrap())
                })
                .collect();
            let mut order: Vec<i64> = all.clone();
            order.sort_by_key(|id| (expected[id], *id));
            let found = shop.get("/api/product/?sort=price&page_size=100").await.expect(200);
            assert_eq!(ids(&found), order, "{at}");
            let mut on_sale = BTreeSet::new();
            for one in found.json["results"].as_array().unwrap() {
                let id = one["id"].as_i64().unwrap();
                assert_eq!(one["effective_price"], money(expected[&id]), "{id} at {at}");
                if let Some(discount) = one["discount"]["id"].as_i64() {
                    on_sale.insert(id);
                    let rule = rules.iter().find(|rule| rule.id == discount).unwrap();
                    assert!(rule.window.0 <= at && at < rule.window.1 && rule.products.contains(&id));
                }
                let detail = shop.get(&format!("/api/product/{id}/")).await.expect(200);
                assert_eq!(detail.json["effective_price"], one["effective_price"], "{id} at {at}");
                assert_eq!(detail.json["discount"], one["discount"], "{id} at {at}");
                let variants = detail.json["variants"].as_array().unwrap();
                for (variant, (price, _)) in variants.iter().zip(&products[&id]) {
                    assert_eq!(variant["effective_price"], money(paid(id, *price)), "{variant} at {at}");
                }
            }
            let found = shop.get("/api/product/?on_sale=true&page_size=100").await.expect(200);
            assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), on_sale, "{at}");
            sales += on_sale.len();
            let middle = expected[&order[order.len() / 2]];
            let under = expected.values().filter(|price| **price <= middle).count();
            let found = shop.get(&format!("/api/product/?price_max={}", money(middle))).await.expect(200);
            assert_eq!(found.json["count"], under, "{at}");
        }
        assert!(sales > 50, "only {sales}: the dice are too kind");
        verified(shop).await;
    })
    .await;
}

#[tokio::test]
async fn the_best_discount_wins() {
    with_present(Settings::default(), async |shop, _| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (cheap, _) = shelve(shop, &admin, category, "A", "20.00").await;
        let (dear, _) = shelve(shop, &admin, category, "B", "200.00").await;
        let (free, _) = shelve(shop, &admin, category, "C", "3.00").await;
        let all = [cheap, dear, free];
        let percent =
            shop.post_as(&admin, "/api/discount/", automatic("TENTH", "10", &all)).await.expect(201);
        let fixed = with(automatic("FIVE", "5.00", &all), json!({"discount_type": "fixed"}));
        let fixed = shop.post_as(&admin, "/api/discount/", fixed).await.expect(201);
        assert_eq!(shown(shop, &fixed, cheap).await, ("15.00".into(), json!(fixed.id())));
        assert_eq!(shown(shop, &fixed, dear).await, ("180.00".into(), json!(percent.id())));
        assert_eq!(shown(shop, &fixed, free).await, ("0.00".into(), json!(fixed.id())), "not below zero");
        let path = format!("/api/discount/{}/", percent.id());
        let capped = shop.patch_as(&admin, &path, json!({"maximum_discount": "5.00"})).await.expect(200);
        assert_eq!(
            shown(shop, &capped, dear).await,
            ("195.00".into(), json!(percent.id())),
            "the lower id of two"
        );
        let aimed = shop.patch_as(&admin, &path, json!({"minimum_purchase": "200.01"})).await.expect(200);
        assert_eq!(shown(shop, &aimed, dear).await, ("195.00".into(), json!(fixed.id())));
    })
    .await;
}

#[tokio::test]
async fn every_change_of_a_discount_reaches_search() {
    with_present(Settings::default(), async |shop, present| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        let (one, _) = shelve(shop, &admin, category, "A", "10.00").await;
        let (two, _) = shelve(shop, &admin, category, "B", "10.00").await;
        let made = shop.post_as(&admin, "/api/discount/", automatic("SALE", "10", &[one])).await.expect(201);
        assert_eq!(shown(shop, &made, one).await, ("9.00".into(), json!(made.id())));
        let path = format!("/api/discount/{}/", made.id());
        for (change, prices) in [
            (json!({"discount_value": "20"}), ["8.00", "10.00"]),
            (json!({"is_active": false}), ["10.00", "10.00"]),
            (json!({"is_active": true, "discount_type": "fixed"}), ["0.00", "10.00"]),
            (json!({"discount_value": "1.00"}), ["9.00", "10.00"]),
            (json!({"activation": "code"}), ["10.00", "10.00"]),
            (json!({"activation": "automatic", "maximum_discount": "0.50"}), ["9.50", "10.00"]),
            (json!({"maximum_discount": null, "product_ids": [two]}), ["10.00", "9.00"]),
            (json!({"product_ids": []}), ["10.00", "10.00"]),
            (json!({"product_ids": [two, one, two]}), ["9.00", "9.00"]),
            (json!({"start_date": written(present + 1)}), ["10.00", "10.00"]),
            (json!({"start_date": written(present), "end_date": written(present + 1)}), ["9.00", "9.00"]),
            (json!({"start_date": written(present - 1), "end_date": written(present)}), ["10.00", "10.00"]),
            (json!({"end_date": null, "minimum_purchase": "10.01"}), ["10.00", "10.00"]),
            (json!({"minimum_purchase": "10.00"}), ["9.00", "9.00"]),
        ] {
            let changed = shop.patch_as(&admin, &path, change.clone()).await.expect(200);
            let found = [shown(shop, &changed, one).await.0, shown(shop, &changed, two).await.0];
            assert_eq!(found, prices, "{change}");
        }
        let renamed = shop.patch_as(&admin, &path, json!({"code": "Sale"})).await.expect(200);
        shop.indexed(&renamed).await;
        let found = shop.get("/api/product/?on_sale=true").await.json;
        assert_eq!(found["results"][0]["discount"]["code"], "Sale");

        let links = format!("{path}products/");
        let unlinked = shop.delete_as(&admin, &format!("{links}{one}/")).await.expect(204);
        assert_eq!(shown(shop, &unlinked, one).await, ("10.00".into(), Value::Null));
        assert_eq!(shown(shop, &unlinked, two).await.0, "9.00");
        let linked = shop.post_as(&admin, &links, json!({"product_ids": [one]})).await.expect(200);
        assert_eq!(shown(shop, &linked, one).await.0, "9.00");
        verified(shop).await;
        let gone = shop.delete_as(&admin, &path).await.expect(204);
        assert_eq!(shown(shop, &gone, one).await, ("10.00".into(), Value::Null));
        assert_eq!(shown(shop, &gone, two).await.0, "10.00");
        verified(shop).await;
    })
    .await;
}

#[tokio::test]
async fn a_discount_written_at_a_prompt_arrives_too() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let category = shop.category(&admin, "Things").await;
        shelve(shop, &admin, category, "A", "10.00").await;
        for (statement, count) in [
            (
                "with made as (
                     insert into discount (code, discount_type, discount_value, activation)
                     values ('X', 'percentage', 10, 'automatic') returning id
                 )
                 insert into discount_product select made.id, product.id from made, product",
                1,
            ),
            ("update discount set end_date = start_date + interval '1 microsecond'", 0),
            ("update discount set end_date = null", 1),
            ("delete from discount_product", 0),
            ("insert into discount_product select d.id, p.id from discount d, product p", 1),
            ("delete from discount", 0),
        ] {
            sqlx::query(statement).execute(&shop.db).await.unwrap();
            shop.settled().await;
            let found = shop.get("/api/product/?on_sale=true").await.expect(200);
            assert_eq!(found.json["count"], count, "{statement}");
        }
        let endless = "insert into discount (code, discount_type, discount_value, end_date) values ('Y', 'fixed', 1, 'infinity')";
        let refused = sqlx::query(endless).execute(&shop.db).await.unwrap_err();
        assert!(refused.to_string().contains("discount_end_date_check"), "{refused}");
        verified(shop).await;
    })
    .await;
}
