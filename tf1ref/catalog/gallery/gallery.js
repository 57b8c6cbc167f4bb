for (const box of navigator.clipboard ? document.querySelectorAll(".box") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "copy";
  button.setAttribute("aria-label", "copy " + box.querySelector("pre").getAttribute("aria-label"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("pre").textContent);
    button.textContent = "copied";
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  });
  box.querySelector("h4").append(button);
}
