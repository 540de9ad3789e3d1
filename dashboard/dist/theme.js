// Before the first paint, so that a chosen theme never flashes the other one.
try {
  const theme = localStorage.getItem("kernex.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  document.documentElement.lang = localStorage.getItem("kernex.language") || navigator.language.slice(0, 2);
} catch {
  // Storage can be forbidden; the system's theme applies then.
}
