import { call } from "./api.js";
import { byId } from "./dom.js";

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wrong = byId("wrong"), button = event.target.querySelector("button");
  wrong.textContent = "";
  button.disabled = true;
  try {
    await call("/v1/session", { key: byId("key").value.trim() });
    location.assign("/");
  } catch (error) {
    wrong.textContent = error.message;
    button.disabled = false;
    byId("key").select();
  }
});
byId("key").focus();
