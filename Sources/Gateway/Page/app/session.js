// Who is signed in. The token stays in this tab (sessionStorage), is never part of an address, and ends with the tab.
const key = "statex.token";
const listeners = new Set();

export const session = {
  get token() { return sessionStorage.getItem(key); },

  /** What the token says of itself. The gateway decides; this only leaves out what it would refuse. */
  get claims() { return claims(this.token) ?? {}; },

  allows(scope) {
    const { scope: scopes } = this.claims;
    return typeof scopes !== "string" || scopes.split(" ").includes(scope);
  },

  begin(token) {
    sessionStorage.setItem(key, token);
    for (const tell of listeners) tell();
  },

  /** @param why for the person who has to sign in again */
  end(why) {
    sessionStorage.removeItem(key);
    for (const tell of listeners) tell(why);
  },

  onChange(tell) { listeners.add(tell); },
};

function claims(token) {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))));
  } catch {
    return null;
  }
}
