// A link to the page with a text and settings. They are in its fragment, which browsers keep to themselves.

const FIELDS = ["text", "lexicon", "voice", "emotion", "format"];

/** The address of the page with these settings. */
export function linkTo(settings) {
  const named = { ...settings, speed: String(settings.speed) };
  const fields = new URLSearchParams(Object.entries(named).filter(([, value]) => value));
  return `${location.href.split("#")[0]}#${fields}`;
}

/** The settings in the page's own address, as far as there are any; null when there are none. */
export function settingsInAddress() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const found = Object.fromEntries(FIELDS.filter((name) => fields.has(name)).map((name) => [name, fields.get(name)]));
  if (fields.has("speed")) found.speed = Number(fields.get("speed"));
  return Object.keys(found).length ? found : null;
}
