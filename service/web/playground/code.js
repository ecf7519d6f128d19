// The same request from a shell, from Python and from JavaScript.
import { address, hasKey } from "./api.js";

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** JSON as a Python literal. */
export function python(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${python(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function curl(path, body) {
  return [`curl ${body.stream ? "-sSN" : "-sS"} ${shell(address(path))}`, "-H 'Content-Type: application/json'",
    ...(hasKey() ? ['-H "Authorization: Bearer $RIBBON_KEY"'] : []), `-d ${shell(JSON.stringify(body))}`].join(" \\\n  ");
}

function pythonCode(path, body) {
  const options = `json=${python(body)}, timeout=60${hasKey() ? ', headers={"Authorization": "Bearer " + os.environ["RIBBON_KEY"]}' : ""}`;
  const imports = (names) => [...names, ...(hasKey() ? ["os"] : [])].sort().map((name) => `import ${name}\n`).join("");
  if (!body.stream) return `${imports([])}import httpx\n\nanswer = httpx.post(${JSON.stringify(address(path))}, ${options})\nanswer.raise_for_status()\nprint(answer.text)\n`;
  return `${imports(["json"])}import httpx

with httpx.stream("POST", ${JSON.stringify(address(path))}, ${options}) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        if line.startswith("data: "):
            print(json.loads(line.removeprefix("data: ")))
`;
}

function javascript(path, body) {
  const key = hasKey() ? ', Authorization: `Bearer ${key}`' : "";
  const begin = `const answer = await fetch(${JSON.stringify(address(path))}, {
  method: "POST",
  headers: {"Content-Type": "application/json"${key}},
  body: JSON.stringify(${JSON.stringify(body)}),
});
if (!answer.ok) throw new Error(await answer.text());
`;
  if (!body.stream) return `${begin}console.log(await answer.json());\n`;
  return `${begin}let rest = "";
for await (const part of answer.body.pipeThrough(new TextDecoderStream())) {
  const events = (rest + part).split("\\n\\n");
  rest = events.pop();
  for (const event of events) console.log(JSON.parse(/^data: (.*)$/m.exec(event)[1]));
}
`;
}

/** Code by the name of its language. */
export const codeFor = (path, body) => ({ curl: curl(path, body), Python: pythonCode(path, body), JavaScript: javascript(path, body) });
