// A shopper with a public GraphQL client: search, sign in, put into the cart, order. Says on its last line what came of it.
import { GraphQLClient, gql } from "graphql-request";

const [endpoint, username, password] = process.argv.slice(2);
const shop = new GraphQLClient(endpoint);

const { products } = await shop.request(
  gql`
    query Find($q: String!, $sort: [ProductSort!]) {
      products(q: $q, sort: $sort, first: 5) {
        totalCount
        edges { cursor node { id name effectivePrice variants { id stock } } }
      }
    }
  `,
  { q: "kettel", sort: [{ key: "PRICE" }] },
);
const product = products.edges[0].node;

const wrong = await shop
  .request(gql`mutation { login(input: { username: "nobody", password: "nothing" }) { access } }`)
  .then(() => "let in", (error) => error.response.errors[0].extensions.code);

const { login } = await shop.request(
  gql`
    mutation SignIn($input: CredentialsInput!) {
      login(input: $input) { access refresh }
    }
  `,
  { input: { username, password } },
);
shop.setHeader("authorization", `Bearer ${login.access}`);

const { addToCart } = await shop.request(
  gql`
    mutation Add($variant: ID!, $quantity: Int) {
      addToCart(input: { variantId: $variant, quantity: $quantity }) { total items { quantity } }
    }
  `,
  { variant: product.variants[0].id, quantity: 2 },
);

const { createAddress } = await shop.request(gql`
  mutation {
    createAddress(input: { street: "Moi Avenue 1", city: "Nairobi", country: "Kenya" }) { id }
  }
`);
const { checkout } = await shop.request(
  gql`
    mutation Order($input: CheckoutInput!) {
      checkout(input: $input, idempotencyKey: "first") { orderNumber status totalAmount items { sku quantity } }
    }
  `,
  { input: { addressId: createAddress.id, paymentMethod: "CASH_ON_DELIVERY", expectedTotal: addToCart.total } },
);
console.log(JSON.stringify({ found: products.totalCount, name: product.name, wrong, cart: addToCart, order: checkout }));
