// Passkeys need a script: only it can ask the browser for one. It loads on these pages alone.

const decode = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function ask(url, token, body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Accept": "application/json", "X-CSRFToken": token },
    body: JSON.stringify(body),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail || "That didn't work. Please try again.");
  return told;
}

function readable(options) {
  options.challenge = decode(options.challenge);
  if (options.user) options.user.id = decode(options.user.id);
  for (const list of [options.excludeCredentials, options.allowCredentials]) {
    for (const one of list || []) one.id = decode(one.id);
  }
  return options;
}

function sendable(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = encode(credential.response[name]);
  }
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

async function run(form) {
  const { options, answer, does } = form.dataset;
  const token = form.elements.csrf_token.value;
  const fields = Object.fromEntries(new FormData(form));
  delete fields.csrf_token;
  const asked = readable(await ask(options, token, fields));
  const credential = does === "create"
    ? await navigator.credentials.create({ publicKey: asked })
    : await navigator.credentials.get({ publicKey: asked });
  delete fields.password;
  const told = await ask(answer, token, { ...fields, credential: sendable(credential) });
  location.assign(told.next);
}

for (const form of document.querySelectorAll("form[data-does]")) {
  const problem = form.querySelector("[role=alert]");
  form.querySelector("button").disabled = !window.PublicKeyCredential;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.hidden = true;
    try {
      await run(form);
    } catch (error) {
      const cancelled = error.name === "NotAllowedError" || error.name === "InvalidStateError";
      problem.textContent = cancelled ? "No passkey was used. Try again when you're ready." : error.message;
      problem.hidden = false;
    }
  });
}
