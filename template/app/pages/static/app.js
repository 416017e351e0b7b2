// Small comforts. Every page works without this file.

// Moments arrive in UTC; here they are in the reader's own time, with UTC on hover.
const two = (number) => String(number).padStart(2, "0");
for (const time of document.querySelectorAll("time[title$='UTC']")) {
  const at = new Date(time.dateTime);
  const month = at.toLocaleString("en-US", { month: "short" });
  const day = `${two(at.getDate())} ${month} ${at.getFullYear()}`;
  time.textContent = `${day}, ${two(at.getHours())}:${two(at.getMinutes())}`;
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

// A double click sends a form once; who stopped the page may send it again after a moment.
const onTheirWay = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (onTheirWay.has(form)) event.preventDefault();
  onTheirWay.add(form);
  setTimeout(() => onTheirWay.delete(form), 2000);
});
