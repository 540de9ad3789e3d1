"use strict";
// The secret stands behind `#`: browsers do not send it, so no log ever holds it.
const token = location.hash.slice(1);
const form = document.getElementById("setup");
const message = document.getElementById("message");
const button = form.querySelector("button");

function say(text, failed) {
  message.textContent = text;
  message.className = failed ? "error" : "";
}

if (!token) {
  button.disabled = true;
  say("This page needs the link that kernex-server printed when it started.", true);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  const fields = new FormData(form);
  const body = { username: fields.get("username"), password: fields.get("password"), bootstrap_token: token };
  try {
    const response = await fetch("/api/v1/auth/register", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    history.replaceState(null, "", "/setup");
    form.remove();
    say(`Created the admin ${answer.username}.\nLog in with: kernex login ${location.origin} --username ${answer.username}`);
  } catch (error) {
    button.disabled = false;
    say(`The admin was not created: ${error.message}`, true);
  }
});
