// Runs before the first paint. src/theme.ts writes what is read here.
try {
  const theme = localStorage.getItem('pilotfish.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be forbidden; then the system's theme it is.
}
