// The reference follows the theme that the dashboard uses.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const chosen = localStorage.getItem("bellwether-theme");
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const reference = document.getElementById("reference");
  reference.setAttribute("theme", dark ? "dark" : "light");
  reference.setAttribute("bg-color", dark ? "#14181b" : "#fbfaf7");
  reference.setAttribute("text-color", dark ? "#e4e8ea" : "#23292d");
  if (dark) reference.setAttribute("primary-color", "#6cc3cb");
});
