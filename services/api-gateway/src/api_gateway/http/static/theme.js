// Runs before the first paint, so that a chosen theme doesn't flash.
"use strict";
(() => {
  const chosen = localStorage.getItem("bellwether-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
})();
document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  const dark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  button?.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("bellwether-theme", next);
    document.dispatchEvent(new CustomEvent("themechange"));
  });
});
