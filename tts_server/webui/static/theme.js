// Light or dark: the system's choice, until the reader makes one. A classic script, so that it runs before the page is
// drawn. Whoever draws by itself listens to "theme" on document.

(() => {
  const KEPT = "tts-theme";
  const THEMES = ["light", "dark"];

  function use(theme) {
    if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    document.dispatchEvent(new Event("theme"));
  }

  // A browser may refuse storage; the choice then lasts as long as the page.
  function kept() {
    try {
      return localStorage.getItem(KEPT);
    } catch {
      return null;
    }
  }

  function keep(theme) {
    try {
      if (theme) localStorage.setItem(KEPT, theme);
      else localStorage.removeItem(KEPT);
    } catch {
      // See above.
    }
  }

  use(kept());
  document.addEventListener("DOMContentLoaded", () => {
    const field = document.getElementById("theme");
    field.value = document.documentElement.dataset.theme ?? "";
    field.addEventListener("change", () => {
      use(field.value);
      keep(field.value);
    });
  });
})();
