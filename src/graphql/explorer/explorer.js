"use strict";

const at = (id) => document.getElementById(id);
const fields = ["query", "variables", "headers"];
const first = {
  query: "{\n  products(q: \"kettle\", first: 5) {\n    totalCount\n    nodes { id name effectivePrice variants { sku stock } }\n    facets { brand { value count } }\n  }\n}",
  variables: "{}",
  headers: "{ \"Authorization\": \"\" }",
};
const SCHEMA = `query {
  __schema {
    queryType { name } mutationType { name }
    types {
      kind name description
      fields { name description args { ...Input } type { ...Type } }
      inputFields { ...Input }
      enumValues { name description }
    }
  }
}
fragment Input on __InputValue { name description defaultValue type { ...Type } }
fragment Type on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }`;

// What was typed is kept in this tab alone, and headers, which hold tokens, not even there.
const kept = (name) => (name === "headers" ? null : sessionStorage.getItem(`graphql.${name}`));
for (const name of fields) at(name).value = kept(name) ?? first[name];

const object = (name) => {
  const text = at(name).value.trim();
  const value = text === "" ? {} : JSON.parse(text);
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("not a JSON object");
  return value;
};

async function ask(query, variables, headers) {
  const sent = Object.entries(headers).filter(([, value]) => value !== "");
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: { ...Object.fromEntries(sent), "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return { status: response.status, body: await response.json() };
}

async function run() {
  for (const name of fields) if (name !== "headers") sessionStorage.setItem(`graphql.${name}`, at(name).value);
  let variables, headers;
  try {
    variables = object("variables");
    headers = object("headers");
  } catch (error) {
    at("state").textContent = `Variables and headers are JSON objects: ${error.message}`;
    return;
  }
  const begun = performance.now();
  at("state").textContent = "Asking…";
  try {
    const { status, body } = await ask(at("query").value, variables, headers);
    at("answer").textContent = JSON.stringify(body, null, 2);
    at("state").textContent = `${status} in ${Math.round(performance.now() - begun)} ms`;
  } catch (error) {
    at("state").textContent = `No answer: ${error.message}`;
  }
}

const element = (name, text, ...children) => {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};
const spelt = (type) =>
  type.kind === "NON_NULL" ? `${spelt(type.ofType)}!` : type.kind === "LIST" ? `[${spelt(type.ofType)}]` : type.name;
const input = (one) => `${one.name}: ${spelt(one.type)}${one.defaultValue ? ` = ${one.defaultValue}` : ""}`;

function described(type) {
  const rows = element("dl");
  for (const field of type.fields ?? []) {
    const args = field.args.length ? `(${field.args.map(input).join(", ")})` : "";
    rows.append(element("dt", `${field.name}${args}: ${spelt(field.type)}`), element("dd", field.description));
    for (const one of field.args) if (one.description) rows.append(element("dd", `${one.name}: ${one.description}`));
  }
  for (const field of type.inputFields ?? []) rows.append(element("dt", input(field)), element("dd", field.description));
  for (const value of type.enumValues ?? []) rows.append(element("dt", value.name), element("dd", value.description));
  const shown = element("details", "", element("summary", type.name), element("p", type.description), rows);
  shown.dataset.text = `${type.name} ${rows.textContent}`.toLowerCase();
  return shown;
}

async function learn() {
  const { body } = await ask(SCHEMA, {}, {});
  const schema = body.data?.__schema;
  if (!schema) {
    at("types").append(element("p", "This shop does not show its schema."));
    return;
  }
  const roots = [schema.queryType?.name, schema.mutationType?.name];
  const rank = (type) => (roots.includes(type.name) ? roots.indexOf(type.name) : roots.length);
  const types = schema.types.filter((type) => !type.name.startsWith("__"));
  types.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  at("types").append(...types.map(described));
}

at("run").addEventListener("click", run);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
at("find").addEventListener("input", () => {
  const wanted = at("find").value.trim().toLowerCase();
  for (const type of at("types").children) type.hidden = !type.dataset.text?.includes(wanted);
});
learn().catch((error) => at("types").append(element("p", `The schema could not be read: ${error.message}`)));
