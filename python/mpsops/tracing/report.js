// A click on a column's head sorts by it; numbers start with the largest.
const heads = [...document.querySelectorAll(".ops th")];
const body = document.querySelector(".ops tbody");
heads.forEach((head, column) => {
  head.addEventListener("click", () => {
    const number = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : number;
    const key = (row) => {
      const cell = row.cells[column];
      return number ? Number(cell.dataset.value) : cell.textContent;
    };
    const compare = (a, b) => (number ? a - b : a.localeCompare(b, "en", { numeric: true }));
    const rows = [...body.rows].sort((a, b) => (down ? -1 : 1) * compare(key(a), key(b)));
    body.append(...rows);
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  });
});
