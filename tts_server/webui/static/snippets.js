// A request as a command line and as a program. They name the key's variable, never the key.

const KEY = "TTS_API_KEY";
const INDENT = "    ";

// The fields that OpenAI's client knows; it sends the others as `extra_body`.
const OPENAI_FIELDS = ["model", "voice", "input", "response_format", "speed"];

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// What JSON writes of strings, numbers and objects with strings means the same in Python.
function python(value) {
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, each]) => `${python(name)}: ${python(each)}`).join(", ")}}`;
}

const fileName = (request) => `speech.${request.response_format}`;

/** The request for curl in a shell. `address` is that of the server's API, which ends in `/v1`. */
export function curlOf(request, { address, needsKey }) {
  const options = [
    ...(needsKey ? [`-H "Authorization: Bearer $${KEY}"`] : []),
    '-H "Content-Type: application/json"',
    `-o ${fileName(request)}`,
    `-d ${shell(JSON.stringify(request, null, 2))}`,
  ];
  return [`curl -f ${shell(`${address}/audio/speech`)}`, ...options].join(" \\\n  ");
}

/** The request for OpenAI's Python client. */
export function pythonOf(request, { address, needsKey }) {
  const own = OPENAI_FIELDS.filter((name) => request[name] !== undefined);
  const others = Object.entries(request).filter(([name, value]) => !OPENAI_FIELDS.includes(name) && value !== undefined);
  const fields = own.map((name) => `${name}=${python(request[name])}`);
  if (others.length) fields.push(`extra_body=${python(Object.fromEntries(others))}`);
  return [
    ...(needsKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${python(address)}, api_key=${needsKey ? `os.environ["${KEY}"]` : '"none"'})`,
    "speech = client.audio.speech.create(",
    ...fields.map((field) => `${INDENT}${field},`),
    ")",
    `speech.write_to_file("${fileName(request)}")`,
  ].join("\n");
}
