// The reader's choice of dark or light, before anything is drawn.

const theme = localStorage.getItem("theme");
if (theme === "dark" || theme === "light") {
  document.documentElement.dataset.theme = theme;
}
