rule quality:
    input:
        slide=result("slide.zarr"),
        panel=ancient(panel),
    output:
        quality=directory(result("quality.zarr")),
    log:
        result("logs/quality.log"),
    benchmark:
        result("logs/quality.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part("nucleus"),
        section=section("quality"),
    shell:
        "mifprofile quality -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} > {log:q} 2>&1"
