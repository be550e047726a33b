/* Runs before the page is drawn, so that a chosen theme does not flash the other one. */
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("duka.theme");
  } catch {
    // Storage is forbidden: the system's theme it is.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
