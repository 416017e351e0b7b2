// Small comforts. Every page works without this file.

// A part that changes by itself, such as a job's progress: data-refresh says after how many seconds
// to fetch the page again. The part ends it by coming back without the attribute.
function refresh(part) {
  const seconds = Number(part.dataset.refresh) || 3;
  setTimeout(async () => {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = answer.ok && page.getElementById(part.id);
      if (fresh && !part.contains(document.activeElement)) {
        part.replaceWith(fresh);
        part = fresh;
        writeLocalTimes(part);
      }
    } catch {
      // The server is away for a moment: try again next time.
    }
    if ("refresh" in part.dataset) refresh(part);
  }, seconds * 1000);
}

// Moments arrive in UTC; here they are in the reader's own time, with UTC on hover.
function writeLocalTimes(part) {
  const style = { day: "2-digit", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" };
  for (const time of part.querySelectorAll("time[title$='UTC']")) {
    time.textContent = new Date(time.dateTime).toLocaleString("en-GB", style);
  }
}

// Menus close on a click elsewhere, and on Escape.
function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(except)) menu.open = false;
  }
}

document.addEventListener("click", (event) => closeMenus(event.target));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  closeMenus(null);
  menu?.querySelector("summary").focus();
});

document.querySelectorAll("[data-refresh][id]").forEach(refresh);
writeLocalTimes(document);
