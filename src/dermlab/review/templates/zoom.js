// Photos brightened, enlarged, magnified, and set side by side.

// Photos are dark or glaring; the pixels stay as they are.
function light(share) {
  const bright = Math.min(300, Math.max(40, share));
  $("light").value = bright;
  for (const photo of document.querySelectorAll("#photos img, #zoom img")) photo.style.filter = `brightness(${bright}%)`;
}

let zoomedAt = 0; // place of the photo that is enlarged
let two = false; // whether the next one stands beside it

function enlarge(index) {
  zoomedAt = index;
  two = false;
  renderZoom();
  $("zoom").showModal();
}

function renderZoom() {
  const { images } = current();
  const places = two ? [zoomedAt, (zoomedAt + 1) % images.length] : [zoomedAt];
  const bright = $("light").value;
  const shown = places.map((place) => {
    const [box, photo] = ["div", "img"].map((tag) => document.createElement(tag));
    photo.src = photoOf(images[place]);
    photo.alt = `Photo ${place + 1} of ${images.length}, enlarged`;
    photo.draggable = false;
    photo.style.filter = `brightness(${bright}%)`;
    box.addEventListener("click", (event) => magnify(box, event));
    box.addEventListener("pointermove", (event) => box.classList.contains("larger") && aim(box, event));
    box.append(photo);
    return box;
  });
  $("zoomed").replaceChildren(...shown);
  $("zoom-said").textContent = images.length > 1 ? `${places.map((place) => place + 1).join(" and ")} of ${images.length}` : "";
  for (const button of document.querySelectorAll("#zoom .of-several")) button.hidden = images.length < 2;
}

function magnify(box, event) {
  box.classList.toggle("larger");
  aim(box, event);
}

function aim(box, event) {
  const { left, top, width, height } = box.getBoundingClientRect();
  box.firstChild.style.transformOrigin = `${(100 * (event.clientX - left)) / width}% ${(100 * (event.clientY - top)) / height}%`;
}

function turn(step) {
  const { images } = current();
  zoomedAt = (zoomedAt + step + images.length) % images.length;
  renderZoom();
}
